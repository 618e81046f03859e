//! Every field of every kind is kept: the examples in `tests/fixtures/kinds` come back as they were sent.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::server::Server;

pub(crate) async fn what_was_sent_comes_back(s: Server) -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/kinds");
    let mut files = fs::read_dir(&folder)?.collect::<Result<Vec<_>, _>>()?;
    files.sort_by_key(fs::DirEntry::path);
    ensure!(files.len() == 11, "one file a kind: {files:?}");
    for file in files {
        let (path, name) = (file.path(), file.file_name());
        let plural = name.to_str().and_then(|n| n.strip_suffix(".yaml")).context("a name")?;
        for example in serde_saphyr::from_multiple::<Value>(&fs::read_to_string(&path)?)? {
            comes_back(&s, plural, &example).await.with_context(|| plural.to_owned())?;
        }
    }
    Ok(())
}

async fn comes_back(s: &Server, plural: &str, example: &Value) -> Result<()> {
    let cluster = ["clusterconfigs", "clusterpromotiontasks", "projects"].contains(&plural);
    let scope = if cluster { "" } else { "/namespaces/{ns}" };
    let all = format!("/apis/kargo.akuity.io/v1alpha1{scope}/{plural}");
    let one = format!("{all}/{}", example["metadata"]["name"].as_str().context("a name")?);
    let mut made = s.post(&all, example.clone()).await?.done()?;
    if !example["status"].is_null() {
        made["status"] = example["status"].clone();
        s.put(&format!("{one}/status"), made).await?.done()?;
    }
    let mut read = s.get(&one).await?.done()?;
    let metadata = read["metadata"].as_object_mut().context("metadata")?;
    for added in
        ["creationTimestamp", "generation", "managedFields", "namespace", "resourceVersion", "uid"]
    {
        metadata.shift_remove(added);
    }
    ensure!(read == *example, "sent\n{example:#}\nread\n{read:#}");
    // So that the case leaves nothing behind that other cases might meet.
    s.delete_with(&one, json!({ "propagationPolicy": "Background" })).await?.done()?;
    Ok(())
}
