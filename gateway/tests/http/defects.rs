//! The 36 defects of the legacy server (domain.md 12) that must not come back. Those that another test
//! proves already stand in this table, which a test below holds to the sources; the rest is here.
//!
//! | # | proven by |
//! |---|---|
//! | 1 | `metrics::hostile_titles_stay_inside_their_quotes`, `metrics::names_types_labels_and_values_are_those_of_the_contract` |
//! | 2 | `queue::administrators_steer_the_line`, `queue::two_are_let_in_three_wait_and_nobody_overtakes` |
//! | 3 | `queue::two_are_let_in_three_wait_and_nobody_overtakes`, `surface::spellings_of_a_path` |
//! | 4 | `queue::three_thousand_people_and_a_threshold_of_one_thousand` |
//! | 5 | engine: `sessions_end_one_by_one_and_activity_keeps_them`, `nobody_overtakes_whatever_happens` |
//! | 6 | `queue::three_thousand_people_and_a_threshold_of_one_thousand` |
//! | 7 | `sockets::line::an_admission_is_told_to_its_person_alone` |
//! | 8 | `queue::two_are_let_in_three_wait_and_nobody_overtakes` |
//! | 9 | `hostile::another_users_ids_open_nothing` |
//! | 10 | `seats::seats_are_sold_only_within_the_sale_window`, `reservations::orders_of_tickets_that_are_refused` |
//! | 11 | `races::pay_and_cancel_have_one_order_of_things`, `reservations::cancellations_that_are_refused` |
//! | 12 | here |
//! | 13 | `races::of_two_payments_and_of_two_cancellations_one_wins`, `idempotency::a_repeated_request_gets_the_first_answer_also_after_a_restart` |
//! | 14 | here |
//! | 15 | `journeys::c_a_hold_expires` |
//! | 16 | `sockets::seats::held_paid_cancelled_expired_blocked` |
//! | 17 | `races::pay_and_expire_have_one_winner` |
//! | 18 | here |
//! | 19 | `journeys::a_from_registration_to_cancellation` |
//! | 20 | here |
//! | 21 | `reservations::tickets_are_bought_and_shown`, `operations::orders_are_found_and_cancelled` |
//! | 22 | here |
//! | 23 | `journeys::j_an_event_is_called_off`, `changes::a_deleted_event_is_nowhere_and_its_reservations_keep_what_it_was` |
//! | 24 | `changes::the_status_of_a_reservation_is_changed_with_its_seats`, `changes::a_ticket_order_is_confirmed_while_there_is_stock` |
//! | 25 | `admin::an_event_is_made`, `admin::an_event_is_edited` |
//! | 26 | `catalog::status_is_of_the_instant_it_is_asked_for` |
//! | 27 | `hostile::paths_and_queries`, `catalog::the_list_is_ordered_filtered_and_paged` |
//! | 28 | `hostile::wildcards_and_scripts_are_searched_for_as_they_are` |
//! | 29 | `operations::accounts_and_roles` |
//! | 30 | `settings::wrong_settings_stop_the_start_with_one_line_and_exit_code_2`, `headers::the_access_log_has_a_line_for_each_answer_and_no_secret`, `surface::rate_limits_refuse_with_a_time_to_retry` |
//! | 31 | `news::the_author_is_whoever_the_token_says` |
//! | 32 | `images::only_administrators_upload`, `images::names_are_ours_and_nothing_of_the_client_stays` |
//! | 33 | `sockets::handshake::frames_are_byte_exact`, `sockets::bad_input::each_violation_has_its_code` |
//! | 34 | `surface::metrics_name_templates_and_count_attempts` |
//! | 35 | here |
//! | 36 | `auth::of_two_registrations_at_once_one_wins` |
//!
//! And the decisions of the contract (http.md 4):
//!
//! | ⚖ | proven by |
//! |---|---|
//! | D1 | `seats::seats_are_sold_only_within_the_sale_window`, `reservations::orders_of_tickets_that_are_refused` |
//! | D2 | `queue::two_are_let_in_three_wait_and_nobody_overtakes`, `queue::a_hold_lets_its_buyer_in_while_there_is_room` |
//! | D3 | `terms::an_unpaid_order_of_tickets_ends_by_itself`, `terms::an_event_says_how_its_tickets_are_held` |
//! | D4 | `journeys::c_a_hold_expires`, `changes::a_hold_whose_time_is_over_is_listed_as_cancelled` |
//! | D5 | `news::the_author_is_whoever_the_token_says` |
//! | D6 | `catalog::status_is_of_the_instant_it_is_asked_for` |
//! | D7 | `order_view::tests::standings`, `operations::orders_are_found_and_cancelled` |
//! | D8 | `auth::tokens_of_the_contract` |
//! | D9 | `seats::events_have_limits_of_their_own` |
//! | D10 | `changes::the_status_of_a_reservation_is_changed_with_its_seats` |

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::shop::{Shop, list, refused, text};
use crate::support::{assert_error, read};

/// The rows of both tables: the defect or decision, and what stands beside it.
fn table() -> Vec<(&'static str, &'static str)> {
    let rows = include_str!("defects.rs").lines().filter_map(|line| line.strip_prefix("//! | "));
    let cells = rows.filter_map(|row| row.trim_end_matches('|').split_once('|'));
    let cells = cells.map(|(name, by)| (name.trim(), by.trim()));
    cells.filter(|(name, _)| name.ends_with(|end: char| end.is_ascii_digit())).collect()
}

fn sources(directory: &Path, found: &mut String) {
    for entry in std::fs::read_dir(directory).expect("directory") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push_str(&std::fs::read_to_string(&path).expect("text"));
        }
    }
}

#[test]
fn the_tables_name_everything_and_tests_that_exist() {
    let table = table();
    let names: Vec<&str> = table.iter().map(|(name, _)| *name).collect();
    let defects = (1..=36).map(|number| number.to_string());
    let decisions = (1..=10).map(|number| format!("D{number}"));
    assert_eq!(names, defects.chain(decisions).collect::<Vec<_>>());
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("workspace");
    let mut source = String::new();
    sources(&crates.join("gateway/tests/http"), &mut source);
    sources(&crates.join("gateway/src"), &mut source);
    sources(&crates.join("engine/tests"), &mut source);
    for (number, by) in table {
        let here = format!("fn defect_{number:0>2}_");
        assert_eq!(source.contains(&here), by == "here", "{number}");
        for name in by.split('`').skip(1).step_by(2) {
            let function = name.rsplit("::").next().expect("a name");
            assert!(source.contains(&format!("fn {function}(")), "{number}: no test {name}");
        }
    }
}

#[tokio::test]
async fn defect_12_a_slow_payment_holds_up_nobody() {
    let shop = Shop::with(|config| {
        config.sandbox_delay = Duration::from_secs(60);
        config.request_timeout = Duration::from_secs(3600);
    })
    .await;
    let event = shop.seat_event(json!({})).await;
    let seats = shop.seats(&event).await;
    let payer = shop.buyer("payer").await;
    let mut payments = tokio::task::JoinSet::new();
    // More than the legacy's pool had connections.
    for seat in &seats[..30] {
        let body = json!({"reservationId": shop.hold(&payer, &event, seat).await, "paymentMethod": "kakao_pay"});
        let request = shop.gateway.request("POST", "/api/payments/process").bearer_auth(&payer);
        payments.spawn(request.json(&body).send());
    }
    let buyer = shop.buyer("buyer").await;
    for seat in &seats[30..50] {
        shop.hold(&buyer, &event, seat).await;
    }
    assert!(payments.try_join_next().is_none(), "a payment was over before the provider was");
}

#[tokio::test]
async fn defect_14_what_is_missing_is_answered() {
    let shop = Shop::open().await;
    let buyer = shop.buyer("buyer").await;
    let (event, types) =
        shop.ticket_event(json!([{"name": "R석", "price": 1, "totalQuantity": 1}])).await;
    let item = json!({"ticketTypeId": types[0]["id"], "quantity": 1});
    for body in [
        json!({"items": [item]}),
        json!({"eventId": null, "items": [item]}),
        json!({"eventId": event}),
        json!({"eventId": event, "items": []}),
        json!({"eventId": event, "items": [{"quantity": 1}]}),
        json!({"eventId": event, "items": [{"ticketTypeId": null, "quantity": 1}]}),
        json!({}),
    ] {
        let (status, answer) = shop.post("/api/reservations", &buyer, &body).await;
        assert_eq!(status, 400, "{body}: {answer}");
        assert_error(&answer, text(&answer["code"]).as_str());
    }
    let unknown = json!({"reservationId": event, "paymentMethod": "kakao_pay"});
    refused(shop.post("/api/payments/process", &buyer, &unknown).await, 400, "NOT_FOUND");
}

#[tokio::test]
async fn defect_18_an_expired_order_frees_no_seat_that_was_sold_again() {
    let shop = Shop::with(|config| config.hold_ttl = Duration::from_secs(1)).await;
    let (first, second) = (shop.buyer("first").await, shop.buyer("second").await);
    let event = shop.seat_event(json!({})).await;
    let seats = shop.seats(&event).await;
    let expired = shop.hold(&first, &event, &seats[0]).await;
    while shop.counts(&event).await != (265, 0, 0) {
        tokio::task::yield_now().await;
    }
    let (status, answer) = shop
        .post(
            "/api/seats/reserve",
            &second,
            &json!({"eventId": event, "seatIds": [seats[0]["id"]]}),
        )
        .await;
    assert_eq!(status, 201, "{answer}");
    let bought = text(&answer["reservation"]["id"]);
    let paid = shop.pay(&second, &bought).await;
    refused(shop.cancel(&first, &expired).await, 400, "HOLD_EXPIRED");
    // On a machine that took a second for one payment the hold is over, too, and nobody has the seat.
    let is_sold = paid.0 == 200;
    assert_eq!(shop.counts(&event).await.2, usize::from(is_sold), "{paid:?}");
}

#[tokio::test]
async fn defect_20_only_money_that_was_taken_is_refunded() {
    let shop = Shop::open().await;
    let buyer = shop.buyer("buyer").await;
    let event = shop.seat_event(json!({})).await;
    let seats = shop.seats(&event).await;
    for (at, is_paid, expected) in [(0, false, "failed"), (1, true, "refunded")] {
        let order = shop.hold(&buyer, &event, &seats[at]).await;
        if is_paid {
            assert_eq!(shop.pay(&buyer, &order).await.0, 200);
        }
        assert_eq!(shop.cancel(&buyer, &order).await.0, 200);
        let standing = shop.standing(&buyer, &order).await;
        assert_eq!(standing, ("cancelled".to_owned(), expected.to_owned()));
    }
}

#[tokio::test]
async fn defect_22_sets_of_seats_in_any_order_have_one_winner_each() {
    let shop = Shop::open().await;
    let event = shop.seat_event(json!({})).await;
    let seats = shop.seats(&event).await;
    let buyers = [shop.buyer("forwards").await, shop.buyer("backwards").await];
    for set in seats[..60].chunks(3) {
        let mut ids: Vec<&Value> = set.iter().map(|seat| &seat["id"]).collect();
        let forwards = json!({"eventId": event, "seatIds": ids});
        ids.reverse();
        let backwards = json!({"eventId": event, "seatIds": ids});
        let (one, other) = tokio::join!(
            shop.post("/api/seats/reserve", &buyers[0], &forwards),
            shop.post("/api/seats/reserve", &buyers[1], &backwards)
        );
        let (won, lost) = if one.0 == 201 { (one, other) } else { (other, one) };
        assert_eq!(won.0, 201, "{}", won.1);
        let labels = |value: &Value| list(value).iter().map(text).collect::<BTreeSet<_>>();
        assert_eq!(labels(&lost.1["unavailableSeats"]).len(), 3, "{}", lost.1);
        refused(lost, 400, "SEAT_UNAVAILABLE");
    }
    assert_eq!(shop.counts(&event).await, (205, 60, 0));
}

#[tokio::test]
async fn defect_35_a_stadium_is_one_request_and_its_map_is_compressed() {
    let shop = Shop::open().await;
    let sections = json!([
        {"name": "Floor1", "rows": 20, "seatsPerRow": 50, "price": 80_000, "startRow": 1},
        {"name": "Floor2", "rows": 30, "seatsPerRow": 60, "price": 50_000, "startRow": 21},
        {"name": "Floor3", "rows": 30, "seatsPerRow": 70, "price": 30_000, "startRow": 51},
    ]);
    let layout = json!({"name": "stadium", "sections": sections});
    let event =
        text(&shop.event(json!({"layout": layout, "seatLayoutId": "(absent)"})).await["id"]);
    let path = format!("/api/seats/events/{event}");
    let plain = shop.gateway.get(&path).await;
    let length = |response: &reqwest::Response| response.content_length().expect("a length");
    assert!(length(&plain) > 700_000, "{}", length(&plain));
    let (_, map) = read(plain).await;
    assert_eq!(list(&map["seats"]).len(), 4_900);
    let packed = shop.gateway.request("GET", &path).header("accept-encoding", "gzip");
    let packed = packed.send().await.expect("answer");
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    assert!(length(&packed) < 200_000, "{}", length(&packed));
}
