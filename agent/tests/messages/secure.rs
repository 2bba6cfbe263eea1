//! A link through TLS, with a user and a password.

use crate::authority::Authority;
use crate::mosquitto::Mosquitto;
use crate::rig::{Machine, Rig, settings, told, within};
use std::path::Path;
use std::process::Command;

fn users(dir: &Path) -> String {
    let users = dir.join("users");
    let made = Command::new("mosquitto_passwd")
        .args(["-b", "-c"])
        .arg(&users)
        .args(["gateway", "right"])
        .status()
        .unwrap();
    assert!(made.success());
    users.display().to_string()
}

/// The oven behind a broker that asks for everything.
fn oven(port: u16, authority: &Authority, password: &Path) -> String {
    let (ca, password) = (authority.file("ca.pem"), password.display());
    format!(
        "[[link]]\nid = \"shop\"\nmqtt = \"mqtts://localhost:{port}\"\nca_file = \"{}\"\n\
         username = \"gateway\"\npassword_file = \"{password}\"\n\
         [[device]]\nid = \"oven-7\"\nlink = \"shop\"\n[device.tags]\n\
         temperature = {{ topic = \"oven/7/temp\", type = \"f64\" }}\n",
        ca.display()
    )
}

#[tokio::test]
async fn what_a_machine_publishes_comes_through_tls() {
    let authority = Authority::new();
    let dir = tempfile::tempdir().unwrap();
    let open = crate::mosquitto::free_port();
    // Two doors: TLS with passwords for the gateway, an open one for the machine.
    let config = format!(
        "per_listener_settings true\nallow_anonymous false\npassword_file {}\n\
         listener {open} 127.0.0.1\nallow_anonymous true",
        users(dir.path())
    );
    let broker: Mosquitto = authority.broker(&config).await;
    let password = dir.path().join("password");
    std::fs::write(&password, "wrong\n").unwrap();
    let mut rig = Rig::begin(settings(&oven(broker.port, &authority, &password)));
    let why = rig.link().await.expect("refused");
    assert!(why.contains("check username"), "{why}");
    // Rotating is replacing the file.
    std::fs::write(&password, "right\n").unwrap();
    within(async { while rig.link().await.is_some() {} }).await;
    Machine::connect(open).publish("oven/7/temp", "812.5").await;
    assert_eq!(rig.told().await, [told("oven-7", "temperature", "812.5")]);
}
