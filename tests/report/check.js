// Opens reports in headless Chromium: nothing on the console, nothing fetched, axe-core without a serious finding, valid
// HTML, nothing wider than the window, no name of a value broken within a word, filters that show what they are asked
// for; and takes a picture of each at two widths, light and dark, and as it is printed.
//
//   node check.js PICTURES REPORT.html…
import { readFileSync, mkdirSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { createRequire } from "node:module";
import { HtmlValidate } from "html-validate";
import puppeteer from "puppeteer-core";

const [pictures, ...reports] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const problems = [];
const html = new HtmlValidate({
  root: true,
  extends: ["html-validate:standard"],
  // How SVG is written is not HTML's matter.
  rules: { "svg-focusable": "off" },
});
mkdirSync(pictures, { recursive: true });
const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu"],
});

// The names of values, and heads of columns, that are one word on more than one line.
const brokenWords = () =>
  [...document.querySelectorAll("dt, thead th")]
    .filter((name) => {
      const range = document.createRange();
      range.selectNodeContents(name);
      const lines = new Set([...range.getClientRects()].map(({ top }) => Math.round(top)));
      return !/\s/.test(name.textContent.trim()) && lines.size > 1;
    })
    .map((name) => name.textContent);

// What the audit's filters get wrong. The last block is the one that all others stand before.
const wrongFilters = () => {
  const [rule, role, text, told] = ["rule", "role", "text", "told"].map((id) => document.getElementById(id));
  if (!rule) return [];
  const blocks = [...document.querySelectorAll("details[data-rule]")];
  const causes = [...document.querySelectorAll("details[data-rule] > details")];
  const visible = (all) => all.filter((node) => node.checkVisibility());
  const wrong = [];
  const expect = (what, holds) => holds || wrong.push(what);
  const set = (field, value) => {
    field.value = value;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const last = blocks.at(-1);
  const name = last.querySelector(".who").textContent.split(", ")[0];
  const hasName = (cause) => [...cause.querySelectorAll(".who")].some((who) => who.textContent.includes(name));
  expect("fields are hidden", document.getElementById("filters").checkVisibility());
  set(rule, last.dataset.rule);
  expect("by rule", visible(blocks).every((block) => block === last && block.open) && visible(blocks).length === 1);
  expect("how many", told.value === `${visible(causes).length} of ${causes.length} shown`);
  set(rule, "");
  expect("all again", visible(blocks).length === blocks.length && !last.open && told.value === "");
  set(role, `arn:aws:iam::111122223333:role/${name}`);
  const shown = visible(causes);
  expect("by role", shown.length > 0 && shown.every(hasName) && shown.length === causes.filter(hasName).length);
  set(role, "no such role (");
  expect("nobody", visible(blocks).length === 0 && told.value.startsWith("0 of "));
  set(role, `${name.slice(0, 3)}*${name.slice(-2)}`);
  expect("by pattern", visible(causes).some(hasName));
  set(role, "");
  set(text, "ADMINISTRATOR");
  expect("by text", visible(blocks).length > 0 && visible(blocks).length < blocks.length);
  document.getElementById("s-critical").click();
  expect("with the severity", visible(causes).every((cause) => cause.classList.contains("critical")));
  expect("how many of a severity", told.value.startsWith(`${visible(causes).length} of `));
  document.getElementById("s-all").click();
  set(text, "");
  expect("all at the end", visible(blocks).length === blocks.length);
  return wrong;
};

for (const report of reports) {
  const found = (what) => problems.push(`${basename(report)}: ${what}`);
  const text = readFileSync(report, "utf8");
  for (const { messages } of (await html.validateString(text)).results)
    for (const { ruleId, message, line } of messages) found(`line ${line}: ${message} (${ruleId})`);

  for (const width of [1280, 390])
    for (const scheme of ["light", "dark"]) {
      const page = await browser.newPage();
      page.on("console", (message) => found(`console: ${message.text()}`));
      page.on("pageerror", (error) => found(`error: ${error}`));
      page.on("request", (request) => {
        if (!request.url().startsWith("file:")) found(`fetches ${request.url()}`);
      });
      await page.setViewport({ width, height: 900, deviceScaleFactor: 1 });
      await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
      await page.goto(pathToFileURL(resolve(report)).href);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (wide > 0) found(`${wide} pixels wider than ${width}`);
      for (const word of await page.evaluate(brokenWords)) found(`${width}: "${word}" is broken`);
      const name = `${basename(report, ".html")}-${width}-${scheme}.png`;
      await page.screenshot({ path: join(pictures, name), fullPage: true });
      // The page's own policy lets no script in; evaluated by the debugger, axe is none of the page's.
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
      for (const { id, impact, help, nodes } of violations)
        if (["serious", "critical"].includes(impact))
          found(`${width} ${scheme}: ${impact}: ${id}: ${help}: ${nodes[0].html.slice(0, 160)}`);
      for (const wrong of await page.evaluate(wrongFilters)) found(`filter: ${wrong}`);
      await page.close();
    }
  const page = await browser.newPage();
  await page.goto(pathToFileURL(resolve(report)).href);
  await page.pdf({ path: join(pictures, `${basename(report, ".html")}.pdf`), format: "A4", margin: { top: "15mm", bottom: "15mm", left: "15mm", right: "15mm" } });
  await page.close();
}
await browser.close();
const unique = [...new Set(problems)];
unique.forEach((problem) => console.log(problem));
console.log(`${reports.length} reports, ${unique.length} problems`);
process.exit(unique.length ? 1 : 0);
