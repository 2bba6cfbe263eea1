//! A server that is scripted line by line; servers that are real are in `tests/system/mail.rs`.

use super::*;
use crate::settings::{Broker, Mailbox};
use tokio::io::{AsyncBufReadExt as _, DuplexStream, duplex};

const TEXT: &str = "Subject: x\r\n\r\n.hidden\r\n..\r\nend\r\n";

fn mail(username: Option<&str>) -> Mail {
    Mail {
        server: Broker {
            host: "mail.plant.example".into(),
            port: 587,
            tls: None,
            username: username.map(Into::into),
            username_file: None,
            password_file: None,
        },
        security: Security::None,
        from: Mailbox {
            name: None,
            address: "andon@plant.example".into(),
        },
        timeout: Duration::from_secs(30),
    }
}

/// Answers each line it hears with the next answer, then hangs up; what it has heard.
async fn serve(stream: DuplexStream, answers: Vec<&'static str>) -> Vec<String> {
    let (reading, mut writing) = tokio::io::split(stream);
    let mut lines = BufReader::new(reading).lines();
    let mut heard = Vec::new();
    for answer in answers {
        if answer == "silence" {
            std::future::pending::<()>().await;
        }
        if writing
            .write_all(format!("{answer}\r\n").as_bytes())
            .await
            .is_err()
        {
            break;
        }
        while let Some(line) = lines.next_line().await.unwrap() {
            let ends = !answer.starts_with("354") || line == ".";
            heard.push(line);
            if ends {
                break;
            }
        }
    }
    heard
}

/// Hands a mail over to a server with these answers, the greeting first.
async fn hand_over(
    user: Option<&str>,
    answers: &[&'static str],
) -> (Result<(), Told>, Vec<String>) {
    let (ours, theirs) = duplex(4096);
    let server = tokio::spawn(serve(theirs, answers.to_vec()));
    let mail = mail(user);
    let secrets = Secrets {
        username: None,
        password: "secret".into(),
        tls: None,
    };
    let letter = Letter {
        mail: &mail,
        secrets: &secrets,
        to: "li@plant.example",
        text: TEXT,
    };
    let mut session = Session::new(ours, mail.timeout);
    let done = async {
        session.greeting().await?;
        let offered = session.hello("[10.1.1.5]").await?;
        letter.hand_over(session, &offered).await
    };
    let done = done.await;
    (done, server.await.unwrap())
}

const GOOD: [&str; 7] = [
    "220-mail.plant.example\r\n220 ready",
    "250-mail.plant.example\r\n250-SIZE 10485760\r\n250 AUTH LOGIN PLAIN",
    "250 2.1.0 fine",
    "250 2.1.5 fine",
    "354 go on",
    "250 2.0.0 queued",
    "221 bye",
];

#[tokio::test]
async fn a_mail_is_handed_over() {
    let (done, heard) = hand_over(None, &GOOD).await;
    assert_eq!(done, Ok(()));
    assert_eq!(
        heard,
        [
            "EHLO [10.1.1.5]",
            "MAIL FROM:<andon@plant.example>",
            "RCPT TO:<li@plant.example>",
            "DATA",
            "Subject: x",
            "",
            "..hidden",
            "...",
            "end",
            ".",
            "QUIT"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn only_after_the_last_point_nobody_knows() {
    // Hangs up, or falls silent, in place of each answer.
    for end in [None, Some("silence")] {
        for answered in 0..6 {
            let mut answers = GOOD[..answered].to_vec();
            answers.extend(end);
            let (ours, theirs) = duplex(4096);
            let server = tokio::spawn(serve(theirs, answers));
            let mail = mail(None);
            let secrets = Secrets {
                username: None,
                password: String::new(),
                tls: None,
            };
            let letter = Letter {
                mail: &mail,
                secrets: &secrets,
                to: "li@plant.example",
                text: TEXT,
            };
            let mut session = Session::new(ours, mail.timeout);
            let done = async {
                session.greeting().await?;
                let offered = session.hello("[::1]").await?;
                letter.hand_over(session, &offered).await
            };
            let told = done.await.unwrap_err();
            server.abort();
            match answered {
                5 => assert!(matches!(told, Told::Unknown(_)), "{answered}: {told:?}"),
                _ => assert!(matches!(told, Told::Failed { .. }), "{answered}: {told:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_mail_that_was_taken_was_sent_even_if_the_goodbye_is_not_answered() {
    assert_eq!(hand_over(None, &GOOD[..6]).await.0, Ok(()));
}

#[tokio::test]
async fn refusals_say_whose_they_are() {
    let with = |at: usize, answer: &'static str| {
        let mut answers = GOOD[..at].to_vec();
        answers.push(answer);
        answers
    };
    for (at, answer, setup) in [
        (0, "554 no", true),
        (2, "550 5.7.1 not yours", true),
        (3, "550 5.1.1 no such mailbox", false),
        (4, "554 no", false),
        (5, "552 5.3.4 too big", false),
    ] {
        let told = hand_over(None, &with(at, answer)).await.0.unwrap_err();
        match setup {
            true => assert!(matches!(told, Told::Setup(_)), "{answer}: {told:?}"),
            false => assert!(matches!(told, Told::Refused(_)), "{answer}: {told:?}"),
        }
        assert!(told.to_string().contains(answer), "{told}");
    }
    for at in 0..6 {
        let told = hand_over(None, &with(at, "451 4.7.1 later"))
            .await
            .0
            .unwrap_err();
        assert!(matches!(told, Told::Failed { .. }), "{at}: {told:?}");
        let told = hand_over(None, &with(at, "HTTP/1.1 400 Bad Request"))
            .await
            .0
            .unwrap_err();
        let unknown = matches!(told, Told::Unknown(_));
        assert_eq!(unknown, at == 5, "{told:?}");
        assert!(told.to_string().contains("does not speak SMTP"), "{told}");
    }
}

#[tokio::test]
async fn the_user_logs_in_by_what_the_server_offers() {
    let plain = [&GOOD[..2], &["235 in"], &GOOD[2..]].concat();
    let (done, heard) = hand_over(Some("andon"), &plain).await;
    assert_eq!(done, Ok(()));
    // Python: base64.b64encode(b"\0andon\0secret").
    assert_eq!(heard[1], "AUTH PLAIN AGFuZG9uAHNlY3JldA==");

    let offer = "250-mail\r\n250 AUTH LOGIN";
    let login = [
        &[
            "220 x",
            offer,
            "334 VXNlcm5hbWU6",
            "334 UGFzc3dvcmQ6",
            "235 in",
        ],
        &GOOD[2..],
    ];
    let (done, heard) = hand_over(Some("andon"), &login.concat()).await;
    assert_eq!(done, Ok(()));
    assert_eq!(heard[1..4], ["AUTH LOGIN", "YW5kb24=", "c2VjcmV0"]);

    for (offer, answer, hint) in [
        ("250 AUTH PLAIN", "535 5.7.8 wrong", "授权码"),
        ("250 AUTH CRAM-MD5", "", "CRAM-MD5"),
        ("250 SIZE", "", "lets nobody log in"),
    ] {
        let offer: &'static str = format!("250-mail\r\n{offer}").leak();
        let told = hand_over(Some("andon"), &["220 x", offer, answer])
            .await
            .0
            .unwrap_err();
        assert!(matches!(told, Told::Setup(_)), "{told:?}");
        assert!(told.to_string().contains(hint), "{told}");
        assert!(!told.to_string().contains("secret"), "{told}");
    }
}

#[tokio::test]
async fn without_encryption_there_is_no_starttls() {
    for offered in [vec![], vec!["SIZE".to_owned()]] {
        let (ours, _theirs) = duplex(100);
        let session = Session::new(ours, Duration::from_secs(1));
        let told = session.start_tls(&offered).await.err().unwrap();
        assert!(
            matches!(&told, Told::Setup(why) if why.contains("465")),
            "{told:?}"
        );
    }
}

#[tokio::test]
async fn words_put_in_before_the_encryption_do_not_count() {
    let (ours, mut theirs) = duplex(100);
    theirs
        .write_all(b"220 go on\r\n250 fine\r\n")
        .await
        .unwrap();
    let session = Session::new(ours, Duration::from_secs(1));
    let told = session.start_tls(&["STARTTLS".into()]).await.err().unwrap();
    assert!(matches!(told, Told::Failed { .. }), "{told:?}");
}

#[tokio::test]
async fn an_endless_answer_ends() {
    let (ours, mut theirs) = duplex(100);
    let server =
        tokio::spawn(async move { while theirs.write_all(b"250-more\r\n").await.is_ok() {} });
    let mut session = Session::new(ours, Duration::from_secs(10));
    assert!(
        session
            .greeting()
            .await
            .unwrap_err()
            .to_string()
            .contains("does not end")
    );
    drop(session);
    server.await.unwrap();
    let (ours, mut theirs) = duplex(100);
    let server = tokio::spawn(async move { while theirs.write_all(b"x").await.is_ok() {} });
    let mut session = Session::new(ours, Duration::from_secs(10));
    assert!(
        session
            .greeting()
            .await
            .unwrap_err()
            .to_string()
            .contains("does not end")
    );
    drop(session);
    server.await.unwrap();
}
