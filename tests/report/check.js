// Opens reports in headless Chromium: nothing on the console, nothing fetched, axe-core without a serious finding, valid
// HTML, nothing wider than the window; and takes a picture of each at two widths, light and dark, and as it is printed.
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
      const name = `${basename(report, ".html")}-${width}-${scheme}.png`;
      await page.screenshot({ path: join(pictures, name), fullPage: true });
      // The page's own policy lets no script in; evaluated by the debugger, axe is none of the page's.
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
      for (const { id, impact, help, nodes } of violations)
        if (["serious", "critical"].includes(impact))
          found(`${width} ${scheme}: ${impact}: ${id}: ${help}: ${nodes[0].html.slice(0, 160)}`);
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
