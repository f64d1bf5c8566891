//! A sale that does not end: most of what is sold comes back.

use std::rc::Rc;

use crate::run::Run;
use crate::scenario::on_sale;
use crate::wishes::Wishes;

pub(crate) fn usual(usual: Wishes) -> Wishes {
    Wishes {
        rate: Some(20.0),
        duration: Some(600.0),
        threshold: Some(200),
        give_up: Some(0.02),
        cancel: Some(0.9),
        ..usual
    }
}

pub(crate) async fn play(run: &Rc<Run>) {
    on_sale::play(run).await;
}
