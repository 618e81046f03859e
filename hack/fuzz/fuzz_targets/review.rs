//! An AdmissionReview. On the first line is what the world answers, after it the review as the API server sends it.
#![no_main]

use arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;
use wharfinger_core::admission::{Verdict, mutate, validate};
use wharfinger_fuzz::World;
use wharfinger_webhook::Request;

const ULID: &str = "01KAJ6V5B2M8Q3W7X9YTZ4RGHD";

fuzz_target!(|input: &[u8]| {
    let end = input.iter().position(|b| *b == b'\n').unwrap_or(input.len());
    let (answers, body) = input.split_at(end);
    let Ok(request) = Request::read(body) else { return };
    let Some(review) = request.review(World::now()) else { return };
    let mut answers = Unstructured::new(answers);
    let mut world = World::new(&mut answers);
    let doors = [
        world.judge(&review, |review, who, facts| mutate(review, who, facts, ULID)),
        world.judge(&review, validate),
    ];
    for verdict in doors {
        match verdict {
            Ok(Verdict::Allow(allowed)) => {
                let (Some(sent), Some(wanted)) = (review.new, &allowed.object) else { continue };
                let sent = sent.value().expect("it was read to be changed");
                let mut patched = sent.clone();
                let patch = json_patch::diff(sent, wanted);
                json_patch::patch(&mut patched, &patch).expect("the patch fits what was sent");
                assert_eq!(&patched, wanted);
            }
            Ok(Verdict::Deny(check)) => assert!(!check.text.is_empty()),
            Ok(Verdict::Ask(_)) | Err(_) => {}
        }
    }
});
