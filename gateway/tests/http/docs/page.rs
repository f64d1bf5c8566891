//! The page of the documentation as somebody uses it: searching, going to an operation, sending.

use serde_json::json;

use crate::docs::browser::Browser;
use crate::support::Gateway;

/// Runs `test` in a browser that shows the page at `#place`.
async fn in_browser(
    gateway: &Gateway,
    place: &str,
    test: impl FnOnce(&mut Browser) + Send + 'static,
) {
    let url = gateway.url(&format!("/api-docs/#{place}"));
    let run = move || {
        let mut browser = Browser::open(&url);
        browser.wait("document.querySelector('.operation')");
        test(&mut browser);
    };
    tokio::task::spawn_blocking(run).await.expect("the test in the browser");
}

/// Opens an operation, does something with its form, sends it and waits for the head of the answer.
fn send(page: &mut Browser, id: &str, before: &str) -> String {
    page.evaluate(&format!("location.hash = '{id}'"));
    page.wait(&format!("document.querySelector('#{id} form')"));
    page.evaluate(&format!(
        "{{ const form = document.querySelector('#{id} form'); {before}; form.requestSubmit(); }}"
    ));
    let head = format!("document.querySelector('#{id} .output pre').textContent");
    let answered = format!("/ in [0-9]+ ms/.test({head}) && {head}");
    page.wait(&answered).as_str().expect("text").to_owned()
}

/// What a form sends instead of text: `file` of the script so far.
const CHOOSE: &str = "const data = new DataTransfer();
    data.items.add(file);
    form.querySelector('input[type=file]').files = data.files";

fn output(page: &mut Browser, id: &str) -> String {
    let text = page.evaluate(&format!("document.querySelector('#{id} .output').textContent"));
    text.as_str().expect("text").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_hides_what_it_does_not_find_and_says_where_that_is_all() {
    let gateway = Gateway::start().await;
    in_browser(&gateway, "", |page| {
        let mut search = |text: &str| {
            page.evaluate(&format!(
                "{{
                $('search').value = '{text}';
                $('search').dispatchEvent(new Event('input'));
                const seen = names => [...document.querySelectorAll(names)]
                    .filter(one => one.checkVisibility()).map(one => one.id || one.textContent);
                const [operations, groups] = [seen('.operation'), seen('nav a')];
                ({{ operations, groups, message: seen('#nothing').length > 0 }})
                }}"
            ))
        };
        let of_a_parameter = search("minPrice");
        assert_eq!(
            of_a_parameter,
            json!({"operations": ["getApiEvents"], "groups": ["Events (5)"], "message": false})
        );
        let of_its_text = search("consonants stand for syllables");
        assert_eq!(of_its_text["operations"], json!(["getApiEventsSuggest"]));
        let of_nothing = search("xyzzy");
        assert_eq!(of_nothing, json!({"operations": [], "groups": [], "message": true}));
        let of_all = search("");
        assert!(of_all["groups"].as_array().is_some_and(|all| all.len() > 10), "{of_all}");
        assert_eq!(of_all["message"], json!(false));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_opens_an_operation_and_goes_there() {
    let gateway = Gateway::start().await;
    in_browser(&gateway, "postApiNews", |page| {
        let is_at_the_top = |id: &str| {
            format!(
                "document.querySelector('#{id}[open] form') && scrollY > innerHeight
                    && Math.abs($('{id}').getBoundingClientRect().top) < 20"
            )
        };
        page.wait(&is_at_the_top("postApiNews"));
        // Of a search that hides it nothing is left.
        page.evaluate("$('search').value = 'points'; narrow()");
        page.evaluate("location.hash = 'postApiQueueCheckEventId'");
        page.wait(&is_at_the_top("postApiQueueCheckEventId"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_body_that_a_form_begins_with_is_taken() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    in_browser(&gateway, "", move |page| {
        let token = format!("$('token').value = '{admin}'");
        for (id, before, status) in [
            ("postApiAuthRegister", "", "201"),
            ("postApiAuthLogin", "", "200"),
            ("postApiAdminSeatLayouts", &*token, "201"),
            ("postApiAdminEvents", "", "201"),
            ("postApiNews", "", "201"),
            ("postApiAdminSeatLayoutsCsv", "form.elements.name.value = 'Hall'", "201"),
        ] {
            let head = send(page, id, before);
            assert!(head.contains(&format!("\n{status} in ")), "{head}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_chosen_and_a_picture_is_shown() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    in_browser(&gateway, "", move |page| {
        page.evaluate(&format!("$('token').value = '{admin}'"));
        let picture = format!(
            "const canvas = document.createElement('canvas');
            canvas.width = canvas.height = 32;
            const bytes = atob(canvas.toDataURL('image/png').split(',')[1]);
            const file = new File([Uint8Array.from(bytes, c => c.charCodeAt(0))], 'a.png');
            {CHOOSE}"
        );
        let head = send(page, "postApiImageUpload", &picture);
        assert!(head.contains("\n200 in "), "{head}");
        let name = "form.elements.name.value = JSON.parse(
            document.querySelector('#postApiImageUpload .output pre:last-child').textContent).key";
        let head = send(page, "getImagesName", name);
        assert!(head.contains("\n200 in "), "{head}");
        page.wait("document.querySelector('#getImagesName .output img').naturalWidth > 0");

        let table = format!(
            "form.elements.name.value = 'Hall';
            const file = new File(['name,rows,seatsPerRow,price\\nA,2,7,1000\\n'], 'hall.csv');
            {CHOOSE}"
        );
        send(page, "postApiAdminSeatLayoutsCsv", &table);
        let made = output(page, "postApiAdminSeatLayoutsCsv");
        assert!(made.contains("\"totalSeats\": 14"), "{made}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_text_is_a_download() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    in_browser(&gateway, "", move |page| {
        let table = format!("$('token').value = '{admin}'; form.elements.format.value = 'xlsx'");
        let head = send(page, "getApiAdminReportsSales", &table);
        assert!(head.contains("\n200 in "), "{head}");
        let name = page.wait("document.querySelector('.output a[download]').download");
        assert_eq!(name, "tiketi-sales.xlsx");
        let shown = output(page, "getApiAdminReportsSales");
        assert!(shown.contains(" bytes of application/") && !shown.contains("PK"), "{shown}");
    })
    .await;
}
