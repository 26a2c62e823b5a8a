// What moves on the page: plots over time, the list of events, filters.
"use strict";
(() => {
  // Okabe and Ito, as in the plots of the command line; dashes tell further lines apart.
  const colours = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];
  const look = (index) => ({
    stroke: colours[index % colours.length],
    dash: index < colours.length ? undefined : [3 + index, 4],
  });
  const make = (tag, text, attributes = {}) => {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    return Object.assign(element, attributes);
  };
  const byId = (id) => document.getElementById(id);
  const data = (id) => JSON.parse(byId(id).textContent);
  const words = (text) => text.toLowerCase().split(/\s+/).filter((word) => word !== "");
  const has = (text, wanted) => wanted.every((word) => text.includes(word));

  const report = { charts: [] };
  window.report = report;

  // All charts show the same part of the time.
  let zooming = false;
  const zoomAll = (from, to) => {
    if (zooming) return;
    zooming = true;
    for (const chart of report.charts) chart.setScale("x", { min: from, max: to });
    zooming = false;
  };

  const chart = (place, title, unit, times, names, columns) => {
    const known = columns.map((column) => column && column.some((value) => value !== null));
    if (!known.some(Boolean)) return;
    const series = [{ label: "time (s)", value: (_, value) => (value === null ? "" : value.toFixed(4)) }];
    const values = [times];
    names.forEach((name, index) => {
      if (!known[index]) return;
      series.push({ label: name, width: 1.5, points: { show: false }, spanGaps: false, ...look(index) });
      values.push(columns[index]);
    });
    const plot = new uPlot(
      {
        title: `${title} (${unit})`,
        width: place.clientWidth || 1100,
        height: 260,
        cursor: { sync: { key: "time" }, drag: { x: true, y: false } },
        scales: { x: { time: false }, y: { range: (_, low, high) => [0, high > 0 ? high * 1.05 : 1] } },
        axes: [{}, { size: 70 }],
        series,
        hooks: { setScale: [(self, key) => key === "x" && zoomAll(self.scales.x.min, self.scales.x.max)] },
      },
      values,
      place,
    );
    report.charts.push(plot);
  };

  const drawTime = (all) => {
    const [places, lines, flows] = [byId("charts"), byId("lines"), byId("flow")];
    const draw = () => {
      report.charts.splice(0).forEach((plot) => plot.destroy());
      places.replaceChildren();
      lines.replaceChildren();
      const flow = all.flows[flows.value];
      if (flow) {
        const names = flow.lines.map((line) => line.name);
        for (const [key, title, unit] of all.metrics) {
          chart(places, title, unit, flow.time, names, flow.lines.map((line) => line.values[key]));
        }
        names.forEach((name, index) => lines.append(chooser(name, index)));
      }
      const queues = all.queues.lines.map((line) => line.name);
      const columns = (key) => all.queues.lines.map((line) => line.values[key]);
      chart(places, "queues", "packets", all.queues.time, queues, columns("backlog"));
      chart(places, "queueing delay", "ms", all.queues.time, queues, columns("delay"));
      const ends = report.charts.map((plot) => [plot.data[0][0], plot.data[0][plot.data[0].length - 1]]);
      report.whole = [Math.min(...ends.map((end) => end[0])), Math.max(...ends.map((end) => end[1]))];
      if (report.charts.length > 0) zoomAll(...report.whole);
    };
    const chooser = (name, index) => {
      const box = make("input", undefined, { type: "checkbox", checked: true });
      box.addEventListener("change", () => {
        for (const plot of report.charts) {
          plot.series.forEach((line, at) => line.label === name && plot.setSeries(at, { show: box.checked }));
        }
      });
      const swatch = make("span", undefined, { className: "swatch" });
      swatch.style.background = look(index).stroke;
      const label = make("label");
      label.append(box, swatch, name);
      return label;
    };
    all.flows.forEach((flow, index) => flows.append(make("option", flow.name, { value: index })));
    flows.addEventListener("change", draw);
    byId("reset").addEventListener("click", () => zoomAll(...report.whole));
    draw();
  };

  const listEvents = (events) => {
    const [body, kind, filter, count] = ["event-rows", "event-kind", "event-filter", "event-count"].map(byId);
    const texts = events.map((row) => row.join(" ").toLowerCase());
    let most = 300;
    const show = () => {
      const wanted = words(filter.value);
      const fits = events.filter(
        (row, at) => (kind.value === "" || row[4] === kind.value) && has(texts[at], wanted),
      );
      const rows = fits.slice(0, most).map((cells) => {
        const row = make("tr");
        row.append(...cells.map((cell) => make("td", cell)));
        return row;
      });
      body.replaceChildren(...rows);
      count.textContent = `${rows.length} of ${fits.length} shown`;
      byId("event-more").hidden = rows.length === fits.length;
    };
    const kinds = [...new Set(events.map((row) => row[4]))].sort();
    kind.append(...kinds.map((name) => make("option", name, { value: name })));
    kind.addEventListener("change", show);
    filter.addEventListener("input", show);
    byId("event-more").addEventListener("click", () => {
      most *= 4;
      show();
    });
    show();
  };

  for (const filter of document.querySelectorAll("input[data-table]")) {
    filter.addEventListener("input", () => {
      const wanted = words(filter.value);
      for (const row of byId(filter.dataset.table).tBodies[0].rows) {
        row.hidden = !has(row.textContent.toLowerCase(), wanted);
      }
    });
  }
  if (byId("time-data")) drawTime(data("time-data"));
  if (byId("event-data")) listEvents(data("event-data"));
})();
