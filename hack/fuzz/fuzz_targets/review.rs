//! An AdmissionReview. On the first line is what the world answers, after it the review as the API server sends it.
#![no_main]

use arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use serde_json::value::RawValue;
use wharfinger_core::admission::{Review, Verdict, mutate, validate};
use wharfinger_fuzz::World;
use wharfinger_webhook::Request;

const ULID: &str = "01KAJ6V5B2M8Q3W7X9YTZ4RGHD";

fuzz_target!(|input: &[u8]| {
    let end = input.iter().position(|b| *b == b'\n').unwrap_or(input.len());
    let (answers, body) = input.split_at(end);
    let Ok(request) = Request::read(body) else { return };
    let Some(review) = request.review(World::now()) else { return };
    says_what_was_sent(&review, body);
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

/// What is taken apart says what JSON says, but for what no rule looks at.
fn says_what_was_sent(review: &Review<'_>, body: &[u8]) {
    if let Err(error) = serde_json::from_slice::<&RawValue>(body) {
        panic!("it was read, and is no JSON: {error}");
    }
    // Where it can't be understood, whoever asks is told.
    let Ok(sent) = serde_json::from_slice::<Value>(body) else { return };
    for (field, object) in [("object", review.new), ("oldObject", review.old)] {
        let mut sent = sent["request"][field].clone();
        for (part, left_out) in [("metadata", "managedFields"), ("status", "resources")] {
            if let Some(part) = sent.get_mut(part).and_then(Value::as_object_mut) {
                part.remove(left_out);
            }
        }
        match object {
            Some(object) => assert_eq!(object.value(), Ok(&sent)),
            None => assert!(sent.is_null()),
        }
    }
}
