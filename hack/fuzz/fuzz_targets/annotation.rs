//! The text of an annotation or of an environment: Stages, and a claim.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wharfinger_api::additions::{ENV_FREIGHT, ENV_STAGE};
use wharfinger_core::claim::{Claim, Claimed, StageName, authorized, the_stage};

fuzz_target!(|text: &str| {
    let stages = authorized(text);
    match the_stage(Some(text)) {
        Ok(stage) => {
            let bare = text.trim_matches(|c: char| c == ',' || c.is_whitespace());
            assert_eq!(bare, stage.to_string());
            assert_eq!(stages, Ok(vec![stage]));
        }
        Err(_) => assert!(stages.map_or(true, |stages| stages.len() != 1)),
    }
    // Written one way only: Argo CD compares claims as text.
    if let Ok(claim) = text.parse::<Claim>() {
        assert_eq!(claim.to_string(), text);
    }
    if let Ok(stage) = text.parse::<StageName>() {
        assert_eq!(stage.to_string(), text);
    }
    let (stage, claim) = wharfinger_fuzz::split(text);
    if let Ok(claimed) = Claimed::from_env([(ENV_STAGE, stage), (ENV_FREIGHT, claim)].into_iter()) {
        assert_eq!(claimed.stage.map(|s| s.to_string()).as_deref(), Some(stage));
        assert_eq!(claimed.claim.map(|c| c.to_string()).as_deref(), Some(claim));
    }
});
