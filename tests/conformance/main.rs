//! What Wharfinger relies on of the Kubernetes API, case by case.
//!
//! Each case runs on localapi; with `--features kubernetes` it runs on a real kube-apiserver as well, and that one is right.

mod answer;
mod lists;
mod objects;
mod patches;
mod places;
mod server;
mod status;
mod watch;
mod watches;

use anyhow::Result;
use wharfinger_tests::on_runtime;

use server::Server;

/// Every case, once a place.
macro_rules! cases {
    ($($module:ident { $($case:ident)+ })+) => {
        mod on_localapi {
            $(mod $module { $(
                #[test]
                fn $case() -> anyhow::Result<()> {
                    crate::run(crate::places::localapi(), stringify!($case), crate::$module::$case)
                }
            )+ })+
        }
        #[cfg(feature = "kubernetes")]
        mod on_kubernetes {
            $(mod $module { $(
                #[test]
                fn $case() -> anyhow::Result<()> {
                    crate::run(crate::places::kubernetes(), stringify!($case), crate::$module::$case)
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
        kubes_watcher_sees_everything
    }
}

fn run<F>(
    client: impl Future<Output = Result<kube::Client>>,
    name: &str,
    case: impl FnOnce(Server) -> F,
) -> Result<()>
where
    F: Future<Output = Result<()>>,
{
    on_runtime(async { case(Server::with_namespace(client.await?, name).await?).await })
}
