//! Tables as `andon export` writes them.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

/// A row by the names of its columns.
pub type Row = HashMap<String, String>;

/// What `andon export` writes.
pub fn export(config: &Path, options: &[&str]) -> Vec<Row> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_andon"));
    command
        .arg("export")
        .args(options)
        .arg("--config")
        .arg(config);
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert_eq!(errors, "");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned));
    let names: Vec<String> = lines.next().unwrap().collect();
    let row = |fields: Vec<String>| {
        assert_eq!(fields.len(), names.len(), "{fields:?}");
        names.iter().cloned().zip(fields).collect()
    };
    lines.map(|fields| row(fields.collect())).collect()
}

/// A moment, in milliseconds since 1970.
pub fn moment(text: &str) -> i64 {
    let moment: jiff::Timestamp = text.parse().unwrap();
    moment.as_millisecond()
}

/// A whole number that is there.
pub fn number(row: &Row, name: &str) -> i64 {
    row[name]
        .parse()
        .unwrap_or_else(|_| panic!("{name} is `{}`", row[name]))
}
