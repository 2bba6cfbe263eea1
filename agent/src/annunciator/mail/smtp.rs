//! Handing a mail over to a server: SMTP (RFC 5321) as a client that submits (RFC 6409), with STARTTLS
//! (RFC 3207) and AUTH (RFC 4954).
//!
//! Written here because of two things that it must know and that libraries do not say: how far it came
//! when the connection broke, for only after the last point the server may have the mail; and what
//! time to verify certificates at, on a gateway whose clock is not set.

use crate::annunciator::Told;
use crate::base64;
use crate::net::{self, Duplex, Secrets};
use crate::settings::{Mail, Security};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::time::timeout;

/// Longest line of an answer (RFC 5321 allows 512), and most lines of one.
const LINE: usize = 1000;
const LINES: usize = 100;

/// Bytes of an answer that are shown to people.
const SHOWN: usize = 200;

/// The last answer may take so many times longer: the server may look for viruses first.
const LAST: u32 = 4;

/// A server that is thanked need not answer for longer.
const PARTING: Duration = Duration::from_secs(1);

/// Hands a mail over for one mailbox; what became of it.
pub(super) async fn submit(mail: &Mail, to: &str, text: &str) -> Told {
    let server = &mail.server;
    let told = match reach(mail, to, text).await {
        Ok(()) => return Told::Sent,
        Err(told) => told,
    };
    let at = |why: String| format!("{}:{}: {why}", server.host, server.port);
    match told {
        Told::Sent => Told::Sent,
        Told::Unknown(why) => Told::Unknown(at(why)),
        Told::Failed { why, pause } => Told::Failed {
            why: at(why),
            pause,
        },
        Told::Setup(why) => Told::Setup(at(why)),
        Told::Refused(why) => Told::Refused(at(why)),
    }
}

async fn reach(mail: &Mail, to: &str, text: &str) -> Result<(), Told> {
    let server = &mail.server;
    let secrets = net::secrets(server).await.map_err(Told::failed)?;
    let connected = net::connect(&server.host, server.port);
    let stream = in_time(mail, "connection", connected).await?;
    let name = stream
        .local_addr()
        .map_or_else(|_| "localhost".to_owned(), literal);
    let letter = Letter {
        mail,
        secrets: &secrets,
        to,
        text,
    };
    match (mail.security, secrets.tls.clone()) {
        (Security::Tls, Some(config)) => {
            let encrypted = net::encrypt(stream, config, &server.host);
            let stream = in_time(mail, "encryption", encrypted).await?;
            let mut session = Session::new(stream, mail.timeout);
            session.greeting().await?;
            let offered = session.hello(&name).await?;
            letter.hand_over(session, &offered).await
        }
        (Security::Starttls, Some(config)) => {
            let mut session = Session::new(stream, mail.timeout);
            session.greeting().await?;
            let offered = session.hello(&name).await?;
            let stream = session.start_tls(&offered).await?;
            let encrypted = net::encrypt(stream, config, &server.host);
            let stream = in_time(mail, "encryption", encrypted).await?;
            let mut session = Session::new(stream, mail.timeout);
            // What was offered before may have been anybody's.
            let offered = session.hello(&name).await?;
            letter.hand_over(session, &offered).await
        }
        _ => {
            let mut session = Session::new(stream, mail.timeout);
            session.greeting().await?;
            let offered = session.hello(&name).await?;
            letter.hand_over(session, &offered).await
        }
    }
}

async fn in_time<T>(
    mail: &Mail,
    what: &str,
    done: impl Future<Output = Result<T, String>>,
) -> Result<T, Told> {
    match timeout(mail.timeout, done).await {
        Ok(done) => done.map_err(Told::failed),
        Err(_) => Err(Told::failed(format!(
            "no {what} within {} s; check network, port and `security`",
            mail.timeout.as_secs()
        ))),
    }
}

/// This end of a connection, as servers want to be greeted by those who have no name (RFC 5321, §4.1.3).
fn literal(address: SocketAddr) -> String {
    match address.ip() {
        IpAddr::V4(ip) => format!("[{ip}]"),
        IpAddr::V6(ip) => format!("[IPv6:{ip}]"),
    }
}

/// A mail with all that is needed to hand it over.
struct Letter<'a> {
    mail: &'a Mail,
    secrets: &'a Secrets,
    to: &'a str,
    text: &'a str,
}

impl Letter<'_> {
    async fn hand_over<S: Duplex>(
        &self,
        mut session: Session<S>,
        offered: &[String],
    ) -> Result<(), Told> {
        if let Some(user) = &self.mail.server.username {
            session
                .log_in(offered, user, &self.secrets.password)
                .await?;
        }
        let from = &self.mail.from.address;
        let reply = session.command(&format!("MAIL FROM:<{from}>")).await?;
        reply.wanted(250, |said| {
            Told::Setup(format!(
                "it takes no mail from {from}: {said}; `from` must be a mailbox of the user"
            ))
        })?;
        let to = self.to;
        let reply = session.command(&format!("RCPT TO:<{to}>")).await?;
        reply.wanted(250, |said| {
            Told::Refused(format!("it does not take mail for {to}: {said}"))
        })?;
        session.command("DATA").await?.wanted(354, |said| {
            Told::Refused(format!("it takes no mail: {said}"))
        })?;
        session.data(self.text).await?;
        session.quit().await;
        Ok(())
    }
}

/// An answer of the server.
#[derive(Debug, PartialEq, Eq)]
struct Reply {
    code: u16,
    lines: Vec<String>,
}

impl Reply {
    /// Fine if it is of the hundred of `code`; otherwise `refusal` if it is for ever, or to be tried again.
    fn wanted(&self, code: u16, refusal: impl FnOnce(&str) -> Told) -> Result<(), Told> {
        if self.code / 100 == code / 100 {
            return Ok(());
        }
        let said = format!("{} {}", self.code, self.lines.join(" "));
        let said = crate::annunciator::cut(said.trim(), SHOWN);
        match self.code {
            500..=599 => Err(refusal(&said)),
            400..=499 => Err(Told::failed(format!("it cannot take mail now: {said}"))),
            _ => Err(Told::failed(format!("it does not speak SMTP: {said}"))),
        }
    }
}

/// A connection to a server of mail.
struct Session<S> {
    stream: BufReader<S>,
    patience: Duration,
}

impl<S: Duplex> Session<S> {
    fn new(stream: S, patience: Duration) -> Session<S> {
        Session {
            stream: BufReader::new(stream),
            patience,
        }
    }

    /// Its first words.
    async fn greeting(&mut self) -> Result<(), Told> {
        let reply = self.reply(self.patience).await?;
        reply.wanted(220, |said| {
            Told::Setup(format!("it takes no mail from here: {said}"))
        })
    }

    /// What it offers.
    async fn hello(&mut self, name: &str) -> Result<Vec<String>, Told> {
        let reply = self.command(&format!("EHLO {name}")).await?;
        reply.wanted(250, |said| {
            Told::Setup(format!("it does not greet: {said}"))
        })?;
        let words = reply.lines.iter().skip(1);
        Ok(words.map(|line| line.to_ascii_uppercase()).collect())
    }

    /// Agrees on encryption; what it is to be spoken over.
    async fn start_tls(mut self, offered: &[String]) -> Result<S, Told> {
        let refusal = "`security` is \"starttls\", and it does not encrypt";
        if !offered.iter().any(|line| line == "STARTTLS") {
            return Err(Told::Setup(format!(
                "{refusal}: on this port it offers no STARTTLS; try \"tls\" and port 465"
            )));
        }
        let reply = self.command("STARTTLS").await?;
        reply.wanted(220, |said| Told::Setup(format!("{refusal}: {said}")))?;
        // Words that somebody has put in before the encryption must not count after it.
        if !self.stream.buffer().is_empty() {
            return Err(Told::failed("it went on speaking where encryption begins"));
        }
        Ok(self.stream.into_inner())
    }

    async fn log_in(&mut self, offered: &[String], user: &str, password: &str) -> Result<(), Told> {
        let ways = |line: &String| Some(line.strip_prefix("AUTH ")?.to_owned());
        let ways: Vec<String> = offered.iter().filter_map(ways).collect();
        let offers = |way| {
            ways.iter()
                .any(|line| line.split_whitespace().any(|w| w == way))
        };
        let reply = if offers("PLAIN") {
            let secret = base64::encode(format!("\0{user}\0{password}").as_bytes());
            self.command(&format!("AUTH PLAIN {secret}")).await?
        } else if offers("LOGIN") {
            let mut reply = self.command("AUTH LOGIN").await?;
            for word in [user, password] {
                if reply.code != 334 {
                    break;
                }
                reply = self.command(&base64::encode(word.as_bytes())).await?;
            }
            reply
        } else {
            return Err(Told::Setup(match ways.as_slice() {
                [] => "it lets nobody log in on this connection: leave `username` out, or look at \
                       `security` and the port"
                    .to_owned(),
                ways => format!(
                    "it lets people log in only by {}; the agent knows PLAIN and LOGIN",
                    ways.join(" ")
                ),
            }));
        };
        reply.wanted(235, |said| {
            Told::Setup(format!(
                "it does not let the user in: {said}; look at `username` and `password_file` (many \
                 providers want a code for programs, 授权码, instead of the password)"
            ))
        })
    }

    /// The mail itself, after which the server has it, or says that it has not, or nobody knows.
    async fn data(&mut self, text: &str) -> Result<(), Told> {
        let mut stuffed = String::with_capacity(text.len() + 16);
        for line in text.split_inclusive("\r\n") {
            if line.starts_with('.') {
                stuffed.push('.');
            }
            stuffed += line;
        }
        self.write(stuffed.as_bytes()).await?;
        let unknown =
            |told: Told| Told::Unknown(format!("it has the mail and did not say so: {told}"));
        self.write(b".\r\n").await.map_err(unknown)?;
        let reply = self.reply(self.patience * LAST).await.map_err(unknown)?;
        reply.wanted(250, |said| {
            Told::Refused(format!("it does not take this mail: {said}"))
        })
    }

    /// The mail is there; the rest is manners.
    async fn quit(mut self) {
        let _ = timeout(PARTING, self.command("QUIT")).await;
        let _ = timeout(PARTING, self.stream.get_mut().shutdown()).await;
    }

    async fn command(&mut self, line: &str) -> Result<Reply, Told> {
        self.write(format!("{line}\r\n").as_bytes()).await?;
        self.reply(self.patience).await
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Told> {
        let stream = self.stream.get_mut();
        let written = timeout(self.patience, async {
            stream.write_all(bytes).await?;
            stream.flush().await
        });
        match written.await {
            Ok(written) => written.map_err(|error| Told::failed(net::explain(&error))),
            Err(_) => Err(self.silent(self.patience)),
        }
    }

    async fn reply(&mut self, patience: Duration) -> Result<Reply, Told> {
        match timeout(patience, self.whole_reply()).await {
            Ok(reply) => reply,
            Err(_) => Err(self.silent(patience)),
        }
    }

    fn silent(&self, patience: Duration) -> Told {
        Told::failed(format!("no answer within {} s", patience.as_secs()))
    }

    /// The lines of an answer: all but the last have a hyphen behind the number.
    async fn whole_reply(&mut self) -> Result<Reply, Told> {
        let mut lines = Vec::new();
        while lines.len() < LINES {
            let line = self.line().await?;
            let code = line.get(..3).and_then(|code| code.parse().ok());
            let Some(code) = code.filter(|code| (200..600).contains(code)) else {
                let line = crate::annunciator::cut(&line, SHOWN);
                return Err(Told::failed(format!("it does not speak SMTP: `{line}`")));
            };
            lines.push(line.get(4..).unwrap_or("").to_owned());
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(Reply { code, lines });
            }
        }
        Err(Told::failed("its answer does not end"))
    }

    async fn line(&mut self) -> Result<String, Told> {
        let mut line = Vec::new();
        while line.len() < LINE {
            match self.stream.read_u8().await {
                Ok(b'\n') => {
                    let text = String::from_utf8_lossy(&line);
                    let shown = |c: char| if c.is_control() { ' ' } else { c };
                    return Ok(text.trim_end().chars().map(shown).collect());
                }
                Ok(byte) => line.push(byte),
                Err(error) => return Err(Told::failed(net::explain(&error))),
            }
        }
        Err(Told::failed(
            "it does not speak SMTP: a line of it does not end",
        ))
    }
}

#[cfg(test)]
mod tests;
