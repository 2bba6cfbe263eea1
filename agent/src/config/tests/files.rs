//! Several files: what they come to together, and how mistakes in any of them are told.

use super::*;
use andon_core::plant::{Device, Otherwise};
use andon_core::sample::Value;
use std::fs;

/// The cases; the file says how they are written.
const CASES: &str = include_str!("files.txt");

/// A configuration of several files in a folder of its own.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &[u8])]) -> Folder {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, content) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("inside the folder")).expect("a folder");
            fs::write(path, content).expect("a file");
        }
        Folder(folder)
    }

    fn load(&self) -> Result<Loaded, Report> {
        load(&self.0.path().join("andon.toml"))
    }

    fn settings(&self) -> Settings {
        let loaded = self.load().unwrap_or_else(|report| panic!("{report}"));
        assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
        loaded.settings
    }

    /// A path as the cases have it.
    fn short<'t>(&self, path: &'t str) -> &'t str {
        let base = self.0.path().to_str().expect("plain letters");
        path.strip_prefix(base).map_or(path, |path| &path[1..])
    }
}

/// The whole file: what a case or a test says, and a gateway with the link `plc` and one device.
fn main_file(text: &str) -> String {
    format!("{text}{LEAST}")
}

#[derive(Debug, Default)]
struct Case<'a> {
    files: Vec<(&'a str, String)>,
    told: Vec<(&'a str, &'a str, &'a str)>,
}

fn cases() -> Vec<Case<'static>> {
    let (_how, cases) = CASES.split_once("##").expect("how it is written");
    let mut all = vec![Case::default()];
    for line in cases.lines() {
        let is_new = line == "= andon.toml";
        if is_new && all.last().is_some_and(|case| !case.files.is_empty()) {
            all.push(Case::default());
        }
        let case = all.last_mut().expect("there is one");
        let told = case.told.last_mut();
        match (line.split_at_checked(2), told) {
            (Some(("= ", name)), _) => case.files.push((name, String::new())),
            (Some(("@ ", place)), _) => case.told.push((place, "", "")),
            (Some(("! ", what)), Some(told)) => told.1 = what,
            (Some(("? ", hint)), Some(told)) => told.2 = hint,
            (_, None) => {
                if let Some((_, content)) = case.files.last_mut() {
                    let line = line.replace("\\t", "\t").replace("\\q", "\"");
                    content.push_str(&line);
                    content.push('\n');
                }
            }
            (_, Some(_)) => assert!(line.is_empty() || line.starts_with("##"), "{line}"),
        }
    }
    all
}

impl Case<'_> {
    fn check(&self) -> Result<(), String> {
        let main = main_file(&self.files[0].1);
        let mut files: Vec<(&str, &[u8])> = vec![("andon.toml", main.as_bytes())];
        files.extend(
            self.files[1..]
                .iter()
                .map(|(name, text)| (*name, text.as_bytes())),
        );
        let folder = Folder::new(&files);
        let Err(report) = folder.load() else {
            return Err("no mistake was found".into());
        };
        let entries: Vec<Entry<'_>> = report.entries().collect();
        if entries.len() != self.told.len() {
            return Err(format!("expected {} mistakes\n{report}", self.told.len()));
        }
        let base = folder.0.path().display().to_string();
        for (entry, (place, what, hint)) in entries.iter().zip(&self.told) {
            let file = folder.short(entry.file);
            let told = match entry.line.zip(entry.column) {
                Some((line, column)) => format!("{file}:{line}:{column}"),
                None => file.to_owned(),
            };
            let (what, hint) = (what.replace("BASE", &base), hint.replace("BASE", &base));
            if told != *place
                || !entry.message.contains(&what)
                || !entry.hint.is_some_and(|told| told.contains(&hint))
            {
                return Err(format!(
                    "expected at {place}: {what}\n{hint}\nnot {told}\n{report}"
                ));
            }
        }
        Ok(())
    }
}

#[test]
fn mistakes_name_their_file() {
    let cases = cases();
    assert!(cases.len() > 15, "{}", cases.len());
    let failed: Vec<String> = cases.iter().filter_map(|case| case.check().err()).collect();
    assert!(
        failed.is_empty(),
        "{} failed\n{}",
        failed.len(),
        failed.join("\n\n")
    );
}

/// Ids of devices in the order of the settings.
fn ids(settings: &Settings) -> Vec<&str> {
    let devices = settings.plant.devices.iter();
    devices.map(|device| &*device.id).collect()
}

#[test]
fn files_are_read_in_the_order_of_their_names() {
    let main = main_file("include = [\"conf.d/*.toml\", \"last.toml\"]\n");
    let device = |id: &str| {
        format!("[[device]]\nid = \"{id}\"\nprofile = \"kind\"\nlink = \"drive\"\nunit = 3\n")
    };
    let profile = "[[profile]]\nid = \"kind\"\ntags = { status = { at = \"holding:0\", type = \
                   \"u16\" } }\n[[link]]\nid = \"drive\"\nmodbus_tcp = \"10.0.0.9\"\n[[alarm]]\n\
                   id = \"mute\"\ndevices = [\"*-a\"]\nwhen = \"no_data\"\n";
    let (a, b, last) = (device("mill-a"), device("mill-b"), device("lathe-a"));
    let folder = Folder::new(&[
        ("andon.toml", main.as_bytes()),
        ("conf.d/20-b.toml", b.as_bytes()),
        ("conf.d/10-a.toml", a.as_bytes()),
        ("conf.d/10-a.toml~", b"no TOML"),
        ("conf.d/.20-b.toml", b"no TOML"),
        ("conf.d/30-c.toml/inside.toml", b"no TOML"),
        ("last.toml", format!("{last}{profile}").as_bytes()),
    ]);
    let loaded = folder.load().unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(
        ids(&loaded.settings),
        ["saw", "mill-a", "mill-b", "lathe-a"]
    );
    let alarms = loaded.settings.plant.alarms.iter();
    let alarms: Vec<u16> = alarms
        .filter(|alarm| !alarm.is_builtin())
        .map(|alarm| alarm.owner.device().unwrap().0)
        .collect();
    assert_eq!(alarms, [1, 3]);
    let files: Vec<(&str, usize)> = loaded
        .files
        .iter()
        .map(|read| (folder.short(&read.file), read.devices))
        .collect();
    assert_eq!(
        files,
        [
            ("andon.toml", 1),
            ("conf.d/10-a.toml", 1),
            ("conf.d/20-b.toml", 1),
            ("last.toml", 1)
        ]
    );
}

#[test]
fn a_pattern_may_match_nothing_and_what_is_read_already() {
    let main = main_file("include = [\"*.toml\", \"a.toml\", \"none/*.toml\"]\n");
    let folder = Folder::new(&[
        ("andon.toml", main.as_bytes()),
        (
            "a.toml",
            b"[[device]]\nid = \"mill\"\nprofile = \"press\"\nlink = \"plc\"\n",
        ),
    ]);
    let loaded = folder.load().unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(ids(&loaded.settings), ["saw", "mill"]);
    let told: Vec<Entry<'_>> = loaded.warnings.entries().collect();
    assert_eq!(told.len(), 1, "{}", loaded.warnings);
    assert_eq!(told[0].message, "no file matches `none/*.toml`");
    assert_eq!((told[0].line, told[0].column), (Some(1), Some(32)));
}

/// Any change in any file is another configuration.
#[test]
fn the_hash_covers_all_files() {
    let main = main_file("include = \"a.toml\"\ndevices_csv = \"d.csv\"\n");
    let a = "[[link]]\nid = \"drive\"\nmodbus_tcp = \"10.0.0.9\"\n";
    let csv = "id,link,profile\nmill,drive,kind\n";
    let profile =
        "[[profile]]\nid = \"kind\"\ntags = { a = { at = \"coil:0\", type = \"bool\" } }\n";
    let cfg = |main: &str, a: &str, csv: &str| {
        let main = format!("{main}{profile}");
        let folder = Folder::new(&[
            ("andon.toml", main.as_bytes()),
            ("a.toml", a.as_bytes()),
            ("d.csv", csv.as_bytes()),
        ]);
        folder.settings().plant.cfg
    };
    let whole = format!("{main}{profile}{csv}{a}");
    assert_eq!(cfg(&main, a, csv), crc32(whole.as_bytes()));
    let before = cfg(&main, a, csv);
    assert_ne!(before, cfg(&main, &format!("{a}\n"), csv));
    assert_ne!(before, cfg(&main, a, &csv.replace("mill", "drill")));
}

const PRESSES: &str = "\
id,name,line,asset,profile,modbus_tcp,unit,rated_rate,every,timeout,min_coverage\n\
press-01,一号冲压机,A,00123,press,10.1.3.101,1.0,\"1,200/h\",2 s,500 ms,\"0,75\"\n\
\n\
,,,,,,,,,,\n\
# press-xx,,,,press,10.1.3.103\n\
press-02,\"二号\"\"大\"\"冲压机, 旧\",,,press,10.1.3.101:502, 2\u{a0},900/h,,,\n";

#[track_caller]
fn check_presses(csv: &[u8]) {
    let main = main_file("devices_csv = [\"devices.csv\"]\n");
    let profile =
        "[[profile]]\nid = \"press\"\ntags = { a = { at = \"coil:0\", type = \"bool\" } }\n";
    let main = format!("{main}{profile}");
    let folder = Folder::new(&[("andon.toml", main.as_bytes()), ("devices.csv", csv)]);
    let settings = folder.settings();
    assert_eq!(ids(&settings), ["saw", "press-01", "press-02"]);
    let [_, one, two] = settings.plant.devices.as_slice() else {
        panic!("three devices");
    };
    assert_eq!((&*one.name, one.line.as_deref()), ("一号冲压机", Some("A")));
    assert_eq!(one.asset.as_deref(), Some("00123"));
    assert_eq!((one.unit, one.rated_rate), (1, Some(1_200_000)));
    assert_eq!((one.model.every_ms, one.manners.timeout_ms), (2000, 500));
    assert_eq!(one.min_coverage, 7500);
    assert_eq!((&*two.name, &two.line), ("二号\"大\"冲压机, 旧", &None));
    assert_eq!((two.unit, two.rated_rate), (2, Some(900_000)));
    assert_eq!((two.model.every_ms, two.min_coverage), (1000, 5000));
    assert_eq!((one.link, two.link), (LinkIndex(1), LinkIndex(1)));
    assert_eq!(&*settings.links[1].id, "10-1-3-101");
}

/// A cell holds a table as TOML has it.
#[test]
fn states_and_rates_by_product_stand_in_cells() {
    let main = main_file("devices_csv = [\"devices.csv\"]\n");
    let tags = "tags = { good = { at = \"holding:0\", type = \"u16\" }, run = { at = \"coil:0\", type = \"bool\" } }";
    let main = format!("{main}[[profile]]\nid = \"mill\"\n{tags}\n");
    let csv = "id;profile;modbus_tcp;rated_rate;state\n\
        mill-1;mill;10.0.0.6;90/h;\"{ counter = \"\"good\"\", idle_after = \"\"60 s\"\" }\"\n\
        mill-2;mill;10.0.0.7;\"{ by = \"\"good\"\", map = { 7 = \"\"80/h\"\" }, else = \"\"60/h\"\" }\";\"{ setup = \"\"run\"\", idle = \"\"else\"\" }\"\n";
    let folder = Folder::new(&[
        ("andon.toml", main.as_bytes()),
        ("devices.csv", csv.as_bytes()),
    ]);
    let settings = folder.settings();
    let [_, one, two] = settings.plant.devices.as_slice() else {
        panic!("three devices");
    };
    let otherwise = |device: &Device| match &device.model.state {
        Some(States::Derived(derived)) => derived.otherwise,
        other => panic!("not derived: {other:?}"),
    };
    assert!(matches!(otherwise(one), Otherwise::Moving(moving) if moving.idle_after_ms == 60_000));
    assert_eq!(otherwise(two), Otherwise::State(State::Idle));
    assert_eq!(one.rated_rate, Some(90_000));
    let rates = two.model.rates.as_ref().expect("by product");
    assert_eq!(rates.of(Some(&Value::Int(7))), Some(80_000));
}

#[test]
fn a_table_may_be_encoded_and_separated_as_spreadsheets_do() {
    let gbk = |text: &str| {
        let (bytes, _, unknown) = encoding_rs::GB18030.encode(text);
        assert!(!unknown && std::str::from_utf8(&bytes).is_err());
        bytes.into_owned()
    };
    let utf16: Vec<u8> = format!("\u{feff}{PRESSES}")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let crlf = PRESSES.replace('\n', "\r\n");
    // With other separators the commas inside cells need no quotes, but may have them.
    let semicolons = PRESSES
        .replace("\"1,200/h\"", "1·200/h")
        .replace(", 旧", "· 旧")
        .replace("\"0,75\"", "0·75")
        .replace(',', ";")
        .replace('·', ",");
    let tabs = semicolons.replace(';', "\t");
    check_presses(PRESSES.as_bytes());
    check_presses(format!("\u{feff}{PRESSES}").as_bytes());
    check_presses(PRESSES.trim_end().as_bytes());
    check_presses(crlf.as_bytes());
    check_presses(&gbk(&crlf));
    check_presses(&gbk(&semicolons));
    check_presses(semicolons.as_bytes());
    check_presses(tabs.as_bytes());
    check_presses(&utf16);
}

#[test]
fn a_table_that_is_no_text_is_told_by_row_and_column() {
    let told = |csv: &[u8]| {
        let main = main_file("devices_csv = \"devices.csv\"\n");
        let folder = Folder::new(&[("andon.toml", main.as_bytes()), ("devices.csv", csv)]);
        let report = folder.load().expect_err("no table");
        let entries: Vec<Entry<'_>> = report.entries().collect();
        let [entry] = entries.as_slice() else {
            panic!("one mistake\n{report}");
        };
        assert_eq!(folder.short(entry.file), "devices.csv");
        (entry.line, entry.column, entry.message.to_owned())
    };
    let neither = b"id,name\npress-1,\xff\xff\n";
    let what = "this is neither UTF-8 nor GBK text".to_owned();
    assert_eq!(told(neither), (Some(2), Some(9), what.clone()));
    let cut = "\u{feff}id,name\npress-1,号".as_bytes();
    assert_eq!(told(&cut[..cut.len() - 1]), (Some(2), Some(9), what));
    let binary = b"PK\x03\x04\0\0id,name\n";
    assert_eq!(told(binary), (None, None, "this is not a text file".into()));
}

/// The report shows both files where two belong together, and programs are told the same places.
#[test]
fn a_report_shows_every_file_it_speaks_of() {
    let main = main_file("include = \"a.toml\"\n");
    let folder = Folder::new(&[
        ("andon.toml", main.as_bytes()),
        (
            "a.toml",
            b"[[link]]\nid = \"plc\"\nmodbus_tcp = \"10.0.0.6\"\n",
        ),
    ]);
    let report = folder.load().expect_err("two links").to_string();
    let base = folder.0.path().display().to_string();
    let expected = "\
error: there are two links `plc`
  --> BASE/a.toml:2:6
   |
 2 | id = \"plc\"
   |      ^^^^^
   |
  ::: BASE/andon.toml:10:6
   |
10 | id = \"plc\"
   |      ----- the first
   |
   = help: give each link an id of its own

1 mistake in BASE/a.toml";
    assert_eq!(report, expected.replace("BASE", &base));
}

#[test]
fn secrets_of_any_file_are_not_repeated() {
    let main = main_file("include = \"a.toml\"\ndevices_csv = \"d.csv\"\n");
    let folder = Folder::new(&[
        ("andon.toml", main.as_bytes()),
        (
            "a.toml",
            b"[[link]]\nid = \"shop\"\npassword = \"hunter2\"\nmqtt = \"mqtt://a\"\n",
        ),
        ("d.csv", b"id,link,password\nmill,plc,hunter2\n"),
    ]);
    let report = folder.load().expect_err("secrets");
    let shown = report.to_string();
    assert!(shown.contains("password = *********"), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
}
