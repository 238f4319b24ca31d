//! The vocabulary as a JSON Schema, for editors and other programs.

use serde_json::{Map, Value, json};

use super::vocabulary::{DEFINITIONS, Form, Key, Kind};

/// A name that stands for a value: `"{name}"`, or with something added.
const PLACEHOLDER: &str = r"\{[a-z_]";

/// The JSON Schema of a scenario file, draft 2020-12. It knows keys and types; what belongs together is known to the
/// reader of the files only.
#[must_use]
pub fn json_schema() -> Value {
    let definitions: Map<String, Value> =
        DEFINITIONS.iter().map(|definition| (definition.name.to_owned(), form(definition.form))).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "LSAPI conformance scenario",
        "$ref": "#/$defs/scenario",
        "$defs": definitions,
    })
}

fn form(form: Form) -> Value {
    let keys = match form {
        Form::AnyOf(kinds) => return any_of(kinds),
        Form::Table(keys) => keys,
    };
    let properties: Map<String, Value> =
        keys.iter().map(|key| (key.name.to_owned(), property(key))).collect();
    let required: Vec<&str> = keys.iter().filter(|key| key.is_required).map(|key| key.name).collect();
    let mut table = json!({
        "type": "object",
        "properties": properties,
        "patternProperties": { PLACEHOLDER: true },
        "additionalProperties": false,
    });
    if let (Value::Object(table), false) = (&mut table, required.is_empty()) {
        table.insert("required".into(), json!(required));
    }
    table
}

fn property(key: &Key) -> Value {
    let mut property = json!({ "description": key.doc });
    if let Value::Object(property) = &mut property {
        // A name can stand for the whole value, whatever that is.
        let value = or_placeholder(&kind(key.kind));
        property.insert("anyOf".into(), value);
    }
    property
}

fn any_of(kinds: &[Kind]) -> Value {
    json!({ "anyOf": kinds.iter().map(|of| kind(*of)).collect::<Vec<_>>() })
}

fn or_placeholder(value: &Value) -> Value {
    json!([value, { "type": "string", "pattern": PLACEHOLDER }])
}

/// An element of a list or table, which a name can stand for too.
fn element(of: Kind) -> Value {
    json!({ "anyOf": or_placeholder(&kind(of)) })
}

fn kind(of: Kind) -> Value {
    match of {
        Kind::Text => json!({ "type": ["string", "integer"] }),
        Kind::Name => json!({ "type": "string" }),
        Kind::Number => {
            json!({ "anyOf": or_placeholder(&json!({ "type": "integer" })) })
        }
        Kind::Duration => json!({ "type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?(ms|s|min)$" }),
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Words(words) => json!({ "enum": words }),
        Kind::Ref(name) => json!({ "$ref": format!("#/$defs/{name}") }),
        Kind::ListOf(of) => json!({ "type": "array", "items": element(*of) }),
        Kind::OneOrMany(of) => {
            json!({ "anyOf": [kind(*of), { "type": "array", "items": element(*of), "minItems": 1 }] })
        }
        Kind::MapOf(of) => json!({ "type": "object", "additionalProperties": element(*of) }),
        Kind::PairsOf(of) => json!({ "anyOf": [
            { "type": "object", "additionalProperties": element(*of) },
            {
                "type": "array",
                "items": {
                    "type": "array",
                    "prefixItems": [{ "type": "string" }, element(*of)],
                    "minItems": 2,
                    "maxItems": 2,
                },
            },
        ] }),
        Kind::AnyOf(kinds) => any_of(kinds),
        Kind::Free => json!(true),
    }
}
