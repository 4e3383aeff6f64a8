// Chooses what is shown by rule, by role and by text. By severity the style sheet does, with or without this.
"use strict";
(() => {
  const [fields, rule, role, text, told] =
    ["filters", "rule", "role", "text", "told"].map((id) => document.getElementById(id));
  const severities = ["info", "low", "medium", "high", "critical"];
  const blocks = [...document.querySelectorAll("details[data-rule]")];
  const paths = [...document.querySelectorAll("ol[data-rule]")];
  const count = document.querySelectorAll("details[data-rule] > details").length;
  const opened = new Set();
  const known = new WeakMap();
  const lower = (node) => {
    if (!known.has(node)) known.set(node, node.textContent.toLowerCase());
    return known.get(node);
  };
  // Of an ARN the name counts.
  const pattern = (typed) => {
    const name = typed.trim().split("/").pop();
    return new RegExp(name.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*"), "i");
  };
  const words = (node) => node.textContent.split(/[\s,]+/);

  const apply = () => {
    const name = pattern(role.value);
    const hasName = (node) => words(node).some((word) => name.test(word));
    const word = text.value.trim().toLowerCase();
    const isChosen = word !== "" || rule.value !== "" || role.value.trim() !== "";
    const severity = document.querySelector("input[name=severity]:checked").id.slice(2);
    const isBadEnough = (node) =>
      severities.findIndex((s) => node.classList.contains(s)) >= severities.indexOf(severity);
    const isOfRule = (node) => rule.value === "" || node.dataset.rule === rule.value;
    let shown = 0;
    for (const block of blocks) {
      const causes = [...block.children].filter((child) => child.tagName === "DETAILS");
      const said = [...block.children].some((child) => !causes.includes(child) && lower(child).includes(word));
      for (const cause of causes) {
        const isAbout = [...cause.querySelectorAll(".who")].some(hasName);
        cause.hidden = !(isOfRule(block) && isAbout && (said || lower(cause).includes(word)));
        shown += !cause.hidden && isBadEnough(cause);
      }
      block.hidden = causes.every((cause) => cause.hidden);
      // What is found is seen; what was opened for that is closed again.
      if (isChosen && !block.hidden && !block.open) {
        block.open = true;
        opened.add(block);
      } else if (opened.has(block) && (!isChosen || block.hidden)) {
        block.open = false;
        opened.delete(block);
      }
    }
    for (const path of paths)
      path.hidden = !(isOfRule(path) && hasName(path) && lower(path).includes(word));
    told.value = isChosen ? `${shown} of ${count} shown` : "";
  };

  fields.hidden = false;
  document.querySelector("nav").addEventListener("input", apply);
  // A browser fills in what was chosen before the page was loaded again.
  addEventListener("pageshow", apply);
})();
