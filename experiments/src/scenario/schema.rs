//! The JSON Schema of scenarios: for editors, for `mptcpsim list`, and for the check itself.

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Value, json};

use super::Scenario;

/// The JSON Schema (draft 2020-12) of a scenario.
///
/// Objects are closed: a key that is not named is an error.
pub fn schema() -> Value {
    let settings = SchemaSettings::draft2020_12()
        .with_transform(RecursiveTransform(close))
        .with_transform(RecursiveTransform(drop_null));
    let mut schema = SchemaGenerator::new(settings).into_root_schema_for::<Scenario>();
    schema.insert("$id".into(), json!("mptcpsim-scenario"));
    schema.to_value()
}

/// Allows no keys but the named ones.
fn close(schema: &mut Schema) {
    if let Some(object) = schema.as_object_mut()
        && object.contains_key("properties")
        && !object.contains_key("additionalProperties")
    {
        object.remove("unevaluatedProperties");
        object.insert("additionalProperties".into(), json!(false));
    }
}

/// A key that is not given is left out, not null.
fn drop_null(schema: &mut Schema) {
    let Some(object) = schema.as_object_mut() else { return };
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".into(), only);
        }
    }
    if let Some(Value::Array(choices)) = object.get_mut("anyOf") {
        choices.retain(|choice| choice.get("type") != Some(&json!("null")));
        if let [Value::Object(only)] = choices.as_mut_slice() {
            let only = std::mem::take(only);
            object.remove("anyOf");
            for (key, value) in only {
                object.entry(key).or_insert(value);
            }
        }
    }
}
