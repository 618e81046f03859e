//! What Wharfinger relies on of the Kubernetes API, case by case.
//!
//! Each case runs on localapi; with `--features kubernetes` it runs on a real kube-apiserver as well, and that one is right.

mod access;
mod admission;
mod answer;
mod deletion;
mod discovery;
mod events;
mod kargo;
mod kinds;
#[cfg(feature = "kubernetes")]
mod kubectl;
mod lists;
mod objects;
mod patches;
mod places;
mod server;
mod status;
mod tables;
mod tls;
mod validation;
mod watch;
mod watches;
mod webhook;

use anyhow::Result;
use wharfinger_tests::on_runtime;

use places::Place;
use server::Server;

/// Every case, once a place.
macro_rules! cases {
    ($($(#[$when:meta])* $module:ident { $($case:ident)+ })+) => {
        mod on_localapi {
            $($(#[$when])* mod $module { $(
                #[test]
                fn $case() -> anyhow::Result<()> {
                    crate::run(crate::places::Place::localapi(), stringify!($case), crate::$module::$case)
                }
            )+ })+
        }
        #[cfg(feature = "kubernetes")]
        mod on_kubernetes {
            $(mod $module { $(
                #[test]
                fn $case() -> anyhow::Result<()> {
                    crate::run(crate::places::Place::kubernetes(), stringify!($case), crate::$module::$case)
                }
            )+ })+
        }
    };
}

cases! {
    objects {
        what_every_object_has
        a_name_is_taken_once
        names_are_checked
        generated_names
        what_is_not_there
        a_body_has_to_fit_its_path
        an_update_names_the_version_it_saw
        nothing_changed_is_no_change
        the_generation_counts_changes_of_the_spec
        secrets_take_text
        some_fields_never_change
    }
    patches {
        null_in_a_merge_patch_deletes
        lists_are_replaced_whole
        a_patch_may_name_the_version_it_saw
        json_patches
        other_kinds_of_patches_are_refused
        a_patch_is_checked_as_a_whole_object
    }
    status {
        the_main_path_leaves_the_status_alone
        the_status_path_leaves_all_else_alone
        a_status_is_written_over_the_version_that_was_seen
        a_status_is_checked
        not_every_kind_has_a_status
    }
    lists {
        a_list_says_what_it_is
        labels_select
        names_select
        lists_come_in_pages
        a_list_may_span_namespaces
        metadata_alone
    }
    watches {
        a_watch_goes_on_from_a_version
        a_watch_without_a_version_begins_with_what_is_there
        leaving_a_selection_looks_like_a_deletion
        one_object_is_watched_by_its_name
        a_streaming_list_ends_with_a_bookmark
        a_watch_ends_when_its_time_is_up
        a_version_that_is_forgotten_has_expired
        metadata_alone_is_watched
        kubes_watcher_sees_everything
    }
    validation {
        stages_are_checked
        promotions_are_checked
        absent_fields_get_their_defaults
        unknown_fields_are_dropped_and_told
        what_was_stored_wrong_may_stay_so
        every_kind_of_check
        a_kind_comes_and_goes_with_its_definition
        a_definition_has_to_make_sense
    }
    kinds {
        what_was_sent_comes_back
    }
    kargo {
        what_kargo_takes_is_taken
        what_kargo_refuses_is_refused
        what_the_rules_refuse_is_refused
    }
    deletion {
        a_deletion_is_answered_with_a_status
        finalizers_hold_a_deletion_up
        preconditions_guard_a_deletion
        a_selection_is_deleted_at_once
        what_is_owned_goes_with_its_owner
        orphans_stay
        a_namespace_takes_its_objects_with_it
        a_dry_run_changes_nothing
    }
    access {
        what_is_not_allowed_is_forbidden
        roles_allow_what_they_name
        one_may_ask_about_oneself
        groups_and_accounts_are_bound
        a_cluster_role_may_be_bound_in_one_namespace
        impersonation_is_a_permission
        accounts_have_tokens
    }
    admission {
        a_webhook_is_told_everything
        a_webhook_changes_what_is_stored
        a_denial_says_who_and_why
        warnings_reach_the_client
        a_dry_run_is_told
        a_webhook_with_side_effects_keeps_dry_runs_out
        a_webhook_that_is_down_denies_or_is_passed_over
        selectors_and_rules_choose
        our_conditions_match_what_they_should
        a_condition_that_is_no_expression_is_refused
    }
    discovery {
        a_server_says_how_it_is
        groups_are_listed
        resources_are_listed
        all_of_it_comes_in_two_requests
        schemas_are_published
    }
    tables {
        a_custom_resource_has_the_columns_of_its_definition
        a_row_brings_as_much_of_its_object_as_asked
        built_in_kinds_have_their_columns
        what_a_built_in_object_holds_is_counted
    }
    events {
        events_are_told_in_the_namespace_they_are_about
        events_have_two_names
        one_of_two_gets_a_lease
    }
    // Needs kubectl itself.
    #[cfg(feature = "kubernetes")]
    kubectl {
        apply_makes_it_so
        a_mistake_is_explained
        get_shows_what_matters
        objects_are_changed_by_hand
        waiting_ends_when_it_is_so
        the_server_explains_itself
    }
}

fn run<F>(
    place: impl Future<Output = Result<Place>>,
    name: &str,
    case: impl FnOnce(Server) -> F,
) -> Result<()>
where
    F: Future<Output = Result<()>>,
{
    on_runtime(async { case(Server::with_namespace(place.await?, name).await?).await })
}
