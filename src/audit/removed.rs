//! What a plan takes away from those who stay.

/// Who holds policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    Role,
    User,
    Group,
}

/// What is gone once a plan is applied; what it writes comes after that.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Removed {
    /// Roles, users and groups, by name.
    pub holders: Vec<(Holder, String)>,
    /// Managed policies, by ARN.
    pub policies: Vec<String>,
    /// Policies written into somebody: who, and the policy's name.
    pub inline: Vec<(Holder, String, String)>,
    /// Policies attached to somebody, by ARN.
    pub attached: Vec<(Holder, String, String)>,
    /// Users of groups: the user, and the group.
    pub joined: Vec<(String, String)>,
    /// Those who keep, of what is written into them, policies of these names only.
    pub others_inline: Vec<(Holder, String, Vec<String>)>,
    /// Those who keep no attached policy.
    pub others_attached: Vec<(Holder, String)>,
    /// Policies that nobody keeps.
    pub from_others: Vec<String>,
}

impl Removed {
    /// Whether a role, user or group is gone.
    pub fn is_gone(&self, holder: Holder, name: &str) -> bool {
        self.holders.iter().any(|(of, who)| *of == holder && who == name)
    }

    /// Whether somebody keeps a policy that is written into it.
    pub fn keeps_inline(&self, holder: Holder, name: &str, policy: &str) -> bool {
        let mut limits = self.others_inline.iter().filter(|(of, who, _)| *of == holder && who == name);
        let is_gone =
            |(of, who, what): &(Holder, String, String)| *of == holder && who == name && what == policy;
        !self.inline.iter().any(is_gone) && limits.all(|(_, _, kept)| kept.iter().any(|kept| kept == policy))
    }

    /// Whether somebody keeps a policy that is attached to it.
    pub fn keeps_attached(&self, holder: Holder, name: &str, arn: &str) -> bool {
        let is_gone =
            |(of, who, what): &(Holder, String, String)| *of == holder && who == name && what == arn;
        let of_nobody = [&self.policies, &self.from_others].into_iter().flatten().any(|gone| gone == arn);
        let keeps_none = self.others_attached.iter().any(|(of, who)| *of == holder && who == name);
        !of_nobody && !keeps_none && !self.attached.iter().any(is_gone)
    }

    /// Whether a user stays in a group.
    pub fn keeps_in_group(&self, user: &str, group: &str) -> bool {
        let has_left = self.joined.iter().any(|(who, from)| who == user && from == group);
        !has_left && !self.is_gone(Holder::Group, group)
    }
}
