//! Pages of lists, with tokens that survive changes of the list between two calls.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// One page, and the token of the next one.
#[derive(Debug, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<String>,
}

/// Cuts a page of at most `size` out of `items`, which are in the order to be shown, each with a unique name.
/// A token names the last item of its page; when that is gone by now, its position counts. `None`: the token
/// is not ours.
pub fn page<T>(items: Vec<(String, T)>, token: Option<&str>, size: usize) -> Option<Page<T>> {
    let start = match token {
        None => 0,
        Some(token) => {
            let (position, name) = decode(token)?;
            items.iter().position(|(known, _)| *known == name).map_or(position, |index| index + 1)
        }
    };
    let end = start.saturating_add(size.max(1)).min(items.len());
    let next = (end < items.len()).then(|| encode(end, &items[end - 1].0));
    let items = items.into_iter().take(end).skip(start).map(|(_, item)| item).collect();
    Some(Page { items, next })
}

/// An empty page, after which all are still to come.
pub fn before_all<T>() -> Page<T> {
    Page { items: Vec::new(), next: Some(encode(0, "")) }
}

fn encode(position: usize, name: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{position}:{name}"))
}

fn decode(token: &str) -> Option<(usize, String)> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let (position, name) = text.split_once(':')?;
    Some((position.parse().ok()?, name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: &[&str]) -> Vec<(String, String)> {
        names.iter().map(|name| ((*name).to_owned(), (*name).to_owned())).collect()
    }

    #[test]
    fn pages_join_to_the_whole_list_also_when_it_changes_between() {
        let first = page(named(&["a", "b", "c"]), None, 2).unwrap();
        assert_eq!(first.items, ["a", "b"]);
        let token = first.next.as_deref();
        assert_eq!(
            page(named(&["a", "b", "c"]), token, 2).unwrap(),
            Page { items: vec!["c".into()], next: None }
        );
        assert_eq!(page(named(&["b", "c"]), token, 2).unwrap().items, ["c"], "an earlier item was removed");
        assert_eq!(
            page(named(&["a", "c", "d"]), token, 2).unwrap().items,
            ["d"],
            "the named item was removed"
        );
        assert_eq!(page(named(&["a"]), Some("not ours"), 2), None);
    }
}
