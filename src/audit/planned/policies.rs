//! Policy documents alone, each as a role that holds nothing else.

use serde_json::{Value, json};

use super::{Built, Holder};
use crate::audit::account::{Account, UNTOLD};
use opsctl_iam::arn::is_account_id;
use opsctl_iam::time::Instant;

/// An account with a role for each document, under the document's name. Whom it trusts is nobody: the
/// documents do not say.
pub fn of_policies(documents: Vec<(String, Value)>, now: Instant) -> Account {
    let mut built = Built::new(None);
    for (name, document) in documents {
        let arn = built.arn("role", "/", &name);
        built.roles.push(json!({"RoleName": name, "Arn": arn, "Path": "/", "CreateDate": now.iso(),
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []}}));
        let text = document.to_string();
        built.write(Holder::Role, &name, &name, document);
        // The account that most of its ARNs are of is the one that it is for.
        if built.account == UNTOLD
            && let Some(account) = account_in(&text)
        {
            let untold = format!("::{}:", UNTOLD);
            let told = format!("::{account}:");
            for role in &mut built.roles {
                if let Some(arn) = role["Arn"].as_str() {
                    role["Arn"] = arn.replace(&untold, &told).into();
                }
            }
            built.account = account;
        }
    }
    built.account()
}

/// The first account that an ARN in a text names.
pub(super) fn account_in(text: &str) -> Option<String> {
    text.split("arn:aws").skip(1).find_map(|rest| {
        let account = rest.split(':').nth(3)?;
        is_account_id(account).then(|| account.to_owned())
    })
}
