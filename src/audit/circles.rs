//! Strongly connected components of a directed graph (Tarjan), without recursion: accounts may be large.

/// The parts of two and more nodes.
pub fn circles<I: Iterator<Item = usize>>(nodes: usize, edges: impl Fn(usize) -> I) -> Vec<Vec<usize>> {
    const UNSEEN: usize = usize::MAX;
    let mut number = vec![UNSEEN; nodes];
    let mut low = vec![0; nodes];
    let mut on_stack = vec![false; nodes];
    let mut stack = Vec::new();
    let mut found = Vec::new();
    let mut next = 0;
    for root in 0..nodes {
        if number[root] != UNSEEN {
            continue;
        }
        let mut work = vec![(root, edges(root))];
        (number[root], low[root]) = (next, next);
        next += 1;
        stack.push(root);
        on_stack[root] = true;
        while let Some((node, rest)) = work.last_mut() {
            let node = *node;
            match rest.next() {
                Some(to) if number[to] == UNSEEN => {
                    (number[to], low[to]) = (next, next);
                    next += 1;
                    stack.push(to);
                    on_stack[to] = true;
                    work.push((to, edges(to)));
                }
                Some(to) if on_stack[to] => low[node] = low[node].min(number[to]),
                Some(_) => {}
                None => {
                    work.pop();
                    if let Some((parent, _)) = work.last() {
                        low[*parent] = low[*parent].min(low[node]);
                    }
                    if low[node] == number[node] {
                        let start = stack.iter().rposition(|&n| n == node).expect("a root is on the stack");
                        let part: Vec<usize> = stack.split_off(start);
                        part.iter().for_each(|&n| on_stack[n] = false);
                        if part.len() > 1 {
                            found.push(part);
                        }
                    }
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_goes_round() {
        let edges = [vec![1], vec![2], vec![0, 3], vec![4], vec![3], vec![5]];
        let mut parts = circles(6, |n| edges[n].iter().copied());
        parts.iter_mut().for_each(|part| part.sort_unstable());
        parts.sort();
        assert_eq!(parts, [vec![0, 1, 2], vec![3, 4]]);
    }
}
