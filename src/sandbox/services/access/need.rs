//! One permission that an operation needs.

use opsctl_iam::policy::Policy;

/// An action on a resource, with what is known of the request beside who asks.
#[derive(Debug)]
pub(super) struct Need {
    /// `s3:GetObject`
    pub action: String,
    /// The forms that AWS and policies write the resource's ARN in; `*` of an action that takes none, empty
    /// when it is not known here.
    pub resources: Vec<String>,
    pub context: Vec<(String, String)>,
    /// Keys whose values are all in `context`, in lower case; one that ends in `/` begins many.
    pub knows: Vec<&'static str>,
    pub resource_policy: Option<Policy>,
    /// Whether the policy of the resource has to allow it.
    pub by_trust: bool,
    /// Whether the service writes ARNs in quotes.
    pub quoted: bool,
}

impl Need {
    /// An action on resources.
    pub fn new(action: &str, resources: impl IntoIterator<Item = String>) -> Self {
        Self {
            action: action.to_owned(),
            resources: resources.into_iter().collect(),
            context: Vec::new(),
            knows: Vec::new(),
            resource_policy: None,
            by_trust: false,
            quoted: false,
        }
    }

    /// The trust policy of a role decides.
    pub fn of_trust(self, trust: Option<Policy>) -> Self {
        Self { resource_policy: trust, by_trust: true, ..self }
    }

    /// Takes note of all values that a key has in the request.
    pub fn know(&mut self, key: &'static str, values: impl IntoIterator<Item = String>) {
        self.knows.push(key);
        self.context.extend(values.into_iter().map(|value| (key.to_owned(), value)));
    }

    /// The resource as messages name it.
    pub fn shown(&self) -> Option<String> {
        let resource = self.resources.first()?;
        Some(if self.quoted { format!("\"{resource}\"") } else { resource.clone() })
    }
}
