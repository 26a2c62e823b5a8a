// Reports as readers meet them: from a file, in Chromium. `cargo xtask test` says where everything is.
"use strict";
const assert = require("node:assert/strict");
const { execFileSync } = require("node:child_process");
const { mkdtempSync, writeFileSync } = require("node:fs");
const { tmpdir } = require("node:os");
const path = require("node:path");
const { after, before, test } = require("node:test");
const { pathToFileURL } = require("node:url");
const { chromium } = require("playwright-core");

const folder = mkdtempSync(path.join(tmpdir(), "mptcpsim-report-"));
const mptcpsim = (...typed) => execFileSync(process.env.MPTCPSIM, typed, { cwd: folder });
let browser;

before(async () => {
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox"] });
});
after(() => browser.close());

/** Opens a report and collects everything that goes wrong in it, or that it fetches. */
async function open(file) {
  const page = await browser.newPage({ viewport: { width: 1200, height: 900 } });
  const troubles = [];
  page.on("console", (message) => troubles.push(message.text()));
  page.on("pageerror", (error) => troubles.push(String(error)));
  page.on("dialog", (dialog) => troubles.push(`dialog: ${dialog.message()}`) && dialog.dismiss());
  page.on("request", (request) => request.url().startsWith("file:") || troubles.push(request.url()));
  await page.goto(pathToFileURL(path.join(folder, file)).href);
  return { page, troubles };
}

const zoom = (page) =>
  page.evaluate(() => window.report.charts.map((chart) => [chart.scales.x.min, chart.scales.x.max]));

test("plots zoom together, subflows can be chosen, events filtered", async () => {
  mptcpsim("report", "wifi-lte", "--out", "run.html");
  const { page, troubles } = await open("run.html");
  const whole = await zoom(page);
  assert.ok(whole.length >= 8, "a plot for each quantity");
  const area = page.locator(".u-over").first();
  await area.scrollIntoViewIfNeeded();
  const box = await area.boundingBox();
  await page.mouse.move(box.x + box.width * 0.25, box.y + 50);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.5, box.y + 50, { steps: 5 });
  await page.mouse.up();
  const zoomed = await zoom(page);
  for (const [index, [from, to]] of zoomed.entries()) {
    const [start, end] = whole[index];
    assert.ok(from > start + 1 && to < end - 1, `plot ${index} shows ${from} to ${to}`);
    assert.deepEqual([from, to], zoomed[0], "all plots show the same time");
  }
  // The legend tells the values under the pointer.
  await page.mouse.move(box.x + box.width * 0.4, box.y + 60);
  const hovered = await page.locator(".u-legend .u-value").nth(1).textContent();
  assert.ok(Number.parseFloat(hovered) >= 0, hovered);
  await page.locator("#reset").click();
  assert.deepEqual(await zoom(page), whole);

  await page.locator("#lines input").first().uncheck();
  const shown = await page.evaluate(() => window.report.charts[0].series.map((line) => line.show));
  assert.deepEqual(shown, [true, false, true]);

  const rows = page.locator("#event-rows tr");
  const all = await rows.count();
  await page.locator("#event-filter").fill("syn-sent");
  const few = await rows.count();
  assert.ok(few > 0 && few < all, `${few} of ${all}`);
  for (const text of await rows.allTextContents()) assert.match(text.toLowerCase(), /syn-sent/);
  await page.locator("#event-filter").fill("");
  await page.locator("#event-kind").selectOption("fully-established");
  assert.ok((await rows.count()) >= 2);

  await page.locator("input[data-table=counter-rows]").fill("MPTcpExtMPJoin");
  assert.ok((await page.locator("#counter-rows tbody tr:visible").count()) > 0);
  const station = page.locator("svg.scenario text", { hasText: "lte" });
  assert.ok(await station.first().isVisible(), "the picture names its links");
  assert.deepEqual(troubles, []);
});

test("what was recorded of the data sent is drawn", async () => {
  mptcpsim("report", "handover", "--out", "handover.html");
  const { page, troubles } = await open("handover.html");
  assert.ok((await page.locator(".plots svg circle").count()) > 1000);
  assert.deepEqual(troubles, []);
});

test("a name that looks like HTML is only a name", async () => {
  const evil = "</script><img src=x onerror=alert(1)>";
  writeFileSync(
    path.join(folder, "evil.toml"),
    `name = '${evil}'
    [[paths]]
    rate = "10 Mbit/s"
    delay = "5 ms"
    [[flows]]
    app = { kind = "bulk", bytes = "1 MB" }`,
  );
  mptcpsim("report", "evil.toml", "--out", "evil.html");
  const { page, troubles } = await open("evil.html");
  assert.equal(await page.locator("h1").textContent(), evil);
  assert.equal(await page.locator("img").count(), 0);
  assert.ok((await page.title()).startsWith(evil));
  assert.ok((await zoom(page)).length > 0);
  assert.deepEqual(troubles, []);
});

test("a sweep shows its plots and its summary", async () => {
  const vary = 'links.wifi.delay=["15 ms", "60 ms"]';
  mptcpsim("sweep", "wifi-lte", "--vary", vary, "--seeds", "1..2", "--out", "sweep");
  mptcpsim("report", "sweep");
  const { page, troubles } = await open("sweep/report.html");
  assert.ok((await page.locator(".plots svg").count()) >= 1);
  const rows = page.locator("#estimates tbody tr");
  const all = await rows.count();
  await page.locator("input[data-table=estimates]").fill("60 ms goodput");
  const few = await page.locator("#estimates tbody tr:visible").count();
  assert.ok(few > 0 && few < all, `${few} of ${all}`);
  assert.deepEqual(troubles, []);
});
