//! The report in a browser: headless Chromium opens it in a frame of a phone's width and of a
//! desk's, light and dark, and says what it sees.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::shop::{Fault, Shop};
use crate::tester::{finish, run};

/// What the page says about itself, as JSON in the text of the body.
const PROBE: &str = r#"
<script>
addEventListener("load", () => {
  const frame = document.querySelector("iframe"), page = frame.contentDocument;
  const style = element => frame.contentWindow.getComputedStyle(element);
  const box = element => element.getBBox();
  const seen = {
    client: page.documentElement.clientWidth,
    scroll: page.documentElement.scrollWidth,
    background: style(page.body).backgroundColor,
    ink: style(page.body).color,
    verdict: page.querySelector(".verdict").textContent,
    plots: [...page.querySelectorAll("figure")].map(figure => ({
      title: figure.querySelector("figcaption").firstChild.textContent.trim(),
      wide: figure.querySelector("svg").getBoundingClientRect().width,
      letters: Math.min(...[...figure.querySelectorAll("text")].map(text => text.getBoundingClientRect().height)),
      lines: [...figure.querySelectorAll("polyline")].filter(line => box(line).width > 0).length,
      strokes: [...figure.querySelectorAll("polyline")].map(line => style(line).stroke),
      bars: figure.querySelectorAll("rect").length,
    })),
    outside: performance.getEntriesByType("resource").length,
  };
  document.body.textContent = "SEEN" + JSON.stringify(seen) + "NEES";
});
</script>
"#;

fn look(report: &str, directory: &Path, width: u32, is_dark: bool) -> Value {
    let escaped = report.replace('&', "&amp;").replace('"', "&quot;");
    let page = format!(
        "<!doctype html><meta charset=utf-8><meta name=color-scheme content=\"light dark\">\
         <body><iframe style=\"border:0;width:{width}px;height:900px\" srcdoc=\"{escaped}\"></iframe>{PROBE}"
    );
    let file = directory.join(format!("probe-{width}-{is_dark}.html"));
    std::fs::write(&file, page).expect("write");
    let mut command = Command::new(std::env::var("CHROMIUM").unwrap_or("chromium".to_owned()));
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]);
    command.args(["--window-size=1400,1000", "--dump-dom"]);
    // 0 is dark and 1 light.
    command.arg(format!("--blink-settings=preferredColorScheme={}", u8::from(!is_dark)));
    command.arg(format!("--user-data-dir={}", directory.join("profile").display()));
    command.arg(format!("file://{}", file.display()));
    let (code, stdout, stderr) = finish(command);
    assert_eq!(code, 0, "{stderr}");
    let seen = stdout.split("SEEN").nth(1).and_then(|rest| rest.split("NEES").next());
    let seen = seen.unwrap_or_else(|| panic!("{stdout}\n{stderr}"));
    serde_json::from_str(&seen.replace("&amp;", "&")).expect("what was seen")
}

#[test]
fn the_report_is_readable_everywhere() {
    let shop = Shop::open(Fault::None);
    let flags =
        ["--duration", "3", "--rate", "100", "--hot", "5", "--think", "0.1", "--users", "9"];
    let ran = run("hot-seats", &shop.url(), &flags).ended(0);
    let look = |width, is_dark| look(&ran.report, ran.directory.path(), width, is_dark);
    let (light, dark, phone) = (look(1200, false), look(1200, true), look(390, true));
    assert_ne!(light["background"], dark["background"]);
    assert_ne!(light["ink"], dark["ink"]);
    assert_eq!(light["background"], "rgb(255, 255, 255)");
    for seen in [&light, &dark, &phone] {
        assert!(seen["scroll"].as_u64() <= seen["client"].as_u64(), "{seen}");
        assert!(seen["verdict"].as_str().expect("verdict").contains("found nothing"));
        assert_eq!(seen["outside"], 0, "the report asks for something outside itself");
        plots(seen);
    }
    // Less the bar that a desk's browser draws at the side.
    assert!(phone["client"].as_u64() <= Some(390), "{phone}");
    assert_ne!(light["plots"][0]["strokes"], dark["plots"][0]["strokes"]);
}

fn plots(seen: &Value) {
    let plots = seen["plots"].as_array().expect("plots");
    let titles = [
        ("Latency", 3),
        ("Latency by percentile", 2),
        ("Throughput", 3),
        ("People in line", 1),
        ("Seats", 2),
    ];
    for (plot, (title, lines)) in plots.iter().zip(titles) {
        assert_eq!(plot["title"], title);
        assert!(plot["lines"].as_u64() >= Some(lines), "{plot}");
    }
    let codes = plots.last().expect("plots");
    assert!(
        codes["title"] == "Refusals and errors" && codes["bars"].as_u64() >= Some(1),
        "{codes}"
    );
    for plot in plots {
        assert!(plot["wide"].as_f64() > Some(250.0), "{plot}");
        assert!(plot["letters"].as_f64() >= Some(9.0), "{plot}");
    }
}
