//! Lists from the API server, page by page: a cluster may have very many objects.

use std::fmt::Debug;

use kube::Api;
use kube::api::ListParams;
use serde::de::DeserializeOwned;

/// What `keep` makes of every object of a kind. Only that is held in memory, and one page.
pub(crate) async fn gather<K, T>(
    api: &Api<K>,
    keep: impl Fn(K) -> Option<T>,
) -> kube::Result<Vec<T>>
where
    K: Clone + DeserializeOwned + Debug,
{
    let mut kept = vec![];
    let mut page = ListParams::default().limit(500);
    loop {
        let list = api.list(&page).await?;
        kept.extend(list.items.into_iter().filter_map(&keep));
        match list.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = page.continue_token(&token),
            None => return Ok(kept),
        }
    }
}
