use super::documents;
use std::fs;
use std::path::Path;

/// The files in `agent/docs/schema` are those of this agent. To bring them up to date:
/// `andon schema --out agent/docs/schema`.
#[test]
fn the_files_are_those_of_this_agent() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema");
    let documents = documents();
    for document in &documents {
        let file = directory.join(document.name).with_extension("json");
        let there = fs::read_to_string(&file).unwrap_or_default();
        assert!(
            there == format!("{document}\n"),
            "{} differs",
            file.display()
        );
    }
    let files = fs::read_dir(&directory).unwrap().count();
    assert_eq!(files, documents.len(), "a file that no document is for");
}
