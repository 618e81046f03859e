//! The functions that look into the Freight a Stage holds, or is given.

use wharfinger_api::v1alpha1::{FreightCollection, FreightOrigin, FreightReference};

use super::functions::Functions;
use super::records;
use super::types::{Shape, Signature, Type};
use super::value::{Fault, Value};
use crate::url;

impl<'a> Functions<'a> {
    /// `warehouse`, `commitFrom`, `imageFrom`, `chartFrom` and `artifactFrom` over the Freight of a collection.
    ///
    /// An origin is given as `warehouse("name")`. Without one, the repository has to be in the Freight of one origin only.
    /// Kargo asks the Warehouses which of them subscribes to it; what the collection has is all that is known here.
    #[must_use]
    pub fn with_freight(mut self, collection: &'a FreightCollection) -> Self {
        self.add("warehouse", WAREHOUSE, |arguments, _| match arguments {
            [name] if !name.as_text()?.is_empty() => {
                let name = name.as_text()?.to_owned();
                Ok(records::origin(&FreightOrigin { kind: "Warehouse".into(), name }))
            }
            _ => Err("takes the name of a Warehouse".into()),
        });
        self.add("commitFrom", COMMIT_FROM, |arguments, _| {
            let (name, origin) = name_and_origin(arguments)?;
            let wanted = url::normalise_git(name);
            let found = find(collection, origin.as_ref(), |freight| {
                freight.commits.iter().find(|c| url::normalise_git(&c.repo_url) == wanted)
            })?;
            Ok(found.map_or(Value::Nil, records::commit))
        });
        self.add("imageFrom", IMAGE_FROM, |arguments, _| {
            let (name, origin) = name_and_origin(arguments)?;
            let found = find(collection, origin.as_ref(), |freight| {
                freight.images.iter().find(|image| image.repo_url == name)
            })?;
            found.map_or(Ok(Value::Nil), records::image)
        });
        self.add("chartFrom", CHART_FROM, |arguments, _| {
            let (url, name, origin) = match arguments {
                [url, Value::Text(name), rest @ ..] => (url, &**name, rest),
                [url, rest @ ..] => (url, "", rest),
                [] => return Err("takes a repository".into()),
            };
            let (url, origin) = (url.as_text()?, origin.first().map(as_origin).transpose()?);
            let found = find(collection, origin.as_ref(), |freight| {
                freight.charts.iter().find(|chart| chart.repo_url == url && chart.name == name)
            })?;
            match found {
                None if origin.is_none() => Err("finds no such chart in the Freight".into()),
                found => Ok(found.map_or(Value::Nil, records::chart)),
            }
        });
        self.add("artifactFrom", ARTIFACT_FROM, |arguments, budget| {
            let (name, origin) = name_and_origin(arguments)?;
            let found = find(collection, origin.as_ref(), |freight| {
                freight.artifacts.iter().find(|artifact| artifact.subscription_name == name)
            })?;
            found.map_or(Ok(Value::Nil), |artifact| records::artifact(artifact, budget))
        });
        self
    }
}

const ORIGIN: &Shape = &records::ORIGIN;
const TEXT: Type = Type::Text;
const WAREHOUSE: &[Signature] = &[Signature { takes: &[TEXT], gives: Type::Record(ORIGIN) }];
const COMMIT_FROM: &[Signature] =
    &from(Type::Record(&records::COMMIT), Type::Record(&records::COMMIT));
const IMAGE_FROM: &[Signature] =
    &from(Type::Record(&records::IMAGE), Type::Record(&records::IMAGE));
const ARTIFACT_FROM: &[Signature] =
    &from(Type::Record(&records::ARTIFACT), Type::Record(&records::ARTIFACT));
const CHART_FROM: &[Signature] = &[
    Signature { takes: &[TEXT, TEXT, Type::Record(ORIGIN)], gives: Type::Record(&records::CHART) },
    Signature { takes: &[TEXT, TEXT], gives: Type::Record(&records::CHART) },
    Signature { takes: &[TEXT, Type::Record(ORIGIN)], gives: Type::Record(&records::CHART) },
    Signature { takes: &[TEXT], gives: Type::Record(&records::CHART) },
];

/// With an origin, and without.
const fn from(with: Type, without: Type) -> [Signature; 2] {
    [
        Signature { takes: &[TEXT, Type::Record(ORIGIN)], gives: with },
        Signature { takes: &[TEXT], gives: without },
    ]
}

fn name_and_origin(arguments: &[Value]) -> Result<(&str, Option<FreightOrigin>), Fault> {
    match arguments {
        [name] => Ok((name.as_text()?, None)),
        [name, origin] => Ok((name.as_text()?, Some(as_origin(origin)?))),
        _ => Err("takes a name, and perhaps an origin".into()),
    }
}

fn as_origin(value: &Value) -> Result<FreightOrigin, Fault> {
    let fault = || "takes an origin here, such as warehouse(\"name\")".to_owned();
    let Value::Record(record) = value else { return Err(fault()) };
    match record.fields.as_slice() {
        [kind, name] if record.kind == ORIGIN.name => Ok(FreightOrigin {
            kind: kind.value.as_text()?.into(),
            name: name.value.as_text()?.into(),
        }),
        _ => Err(fault()),
    }
}

/// The one that is meant, if there is one.
fn find<'a, T>(
    collection: &'a FreightCollection,
    origin: Option<&FreightOrigin>,
    of: impl Fn(&'a FreightReference) -> Option<&'a T>,
) -> Result<Option<&'a T>, Fault> {
    let freight = collection.items.values();
    let mut found =
        freight.filter(|f| origin.is_none_or(|origin| f.origin == *origin)).filter_map(of);
    let first = found.next();
    if found.next().is_some() {
        return Err("finds it in Freight of more than one origin; add warehouse(\"name\")".into());
    }
    Ok(first)
}
