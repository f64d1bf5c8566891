//! A headless Chromium that a test talks to over its debugging pipe: messages of JSON, a zero byte
//! after each.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Chromium reads from 3 and writes to 4; what it prints is of no interest.
const PIPED: &str = r#"exec "$0" "$@" 3<&0 4>&1 >/dev/null 2>&1"#;
/// Chromium that finds no host but this one.
pub(super) const ALONE: [&str; 5] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
];

/// The program, which the environment may name.
pub(super) fn chromium() -> String {
    std::env::var("CHROMIUM").unwrap_or("chromium".to_owned())
}

/// A browser with one page.
pub(super) struct Browser {
    process: Child,
    commands: ChildStdin,
    messages: BufReader<ChildStdout>,
    session: Option<String>,
    calls: u64,
    _profile: TempDir,
}

impl Browser {
    /// Opens a page, of the size of a phone.
    pub(super) fn open(url: &str) -> Browser {
        let profile = tempfile::tempdir().expect("directory");
        let mut command = Command::new("sh");
        command.args(["-c", PIPED, &chromium()]).args(ALONE).arg("--remote-debugging-pipe");
        command.arg("--window-size=390,844");
        command.arg(format!("--user-data-dir={}", profile.path().display()));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("chromium");
        let commands = process.stdin.take().expect("a pipe");
        let messages = BufReader::new(process.stdout.take().expect("a pipe"));
        let (session, calls) = (None, 0);
        let mut browser =
            Browser { process, commands, messages, session, calls, _profile: profile };
        let target = browser.call("Target.createTarget", json!({"url": "about:blank"}));
        let target = json!({"targetId": target["targetId"], "flatten": true});
        let attached = browser.call("Target.attachToTarget", target);
        browser.session = Some(attached["sessionId"].as_str().expect("a session").to_owned());
        // Answered when the page is the one that is asked from here on.
        browser.call("Page.navigate", json!({ "url": url }));
        browser
    }

    fn call(&mut self, method: &str, params: Value) -> Value {
        self.calls += 1;
        let mut message = json!({"id": self.calls, "method": method, "params": params});
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        write!(self.commands, "{message}\0").expect("chromium listens");
        loop {
            let mut bytes = Vec::new();
            self.messages.read_until(0, &mut bytes).expect("chromium speaks");
            assert_eq!(bytes.pop(), Some(0), "chromium ended");
            let answer: Value = serde_json::from_slice(&bytes).expect("JSON");
            if answer["id"] == self.calls {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].clone();
            }
        }
    }

    /// What an expression comes to in the page; a promise, what it is kept with.
    pub(super) fn evaluate(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let result = self.call("Runtime.evaluate", params);
        assert!(result["exceptionDetails"].is_null(), "{expression}: {result}");
        result["result"]["value"].clone()
    }

    /// Waits until an expression comes to something that is true, which is the answer.
    pub(super) fn wait(&mut self, expression: &str) -> Value {
        self.evaluate(&format!(
            "new Promise((done, failed) => {{
                const end = Date.now() + 30000;
                const look = () => {{
                    let found;
                    try {{ found = {expression}; }} catch {{ /* Not there yet. */ }}
                    if (found) done(found);
                    else if (Date.now() > end) failed(document.body.innerText);
                    else setTimeout(look, 20);
                }};
                look();
            }})"
        ))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
