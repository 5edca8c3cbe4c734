// The charts of the overview, from /stats/history.
"use strict";

(() => {
  const section = document.getElementById("charts");
  if (!section || !window.uPlot) return;

  // How often each is read again, ms: about as often as it has another point.
  const PAUSES = { "5m": 2000, "1h": 20000, "1d": 60000 };
  const WORDS = { "5m": "the last 5 minutes", "1h": "the last hour", "1d": "the last day" };

  const rate = (value) => String(+value.toFixed(value >= 100 ? 0 : value >= 1 ? 1 : 2));
  const span = (value) =>
    value === 0 ? "0" : value < 1 ? `${+(value * 1000).toPrecision(3)} ms` : `${+value.toPrecision(3)} s`;
  const count = (value) => (+value.toFixed(1)).toLocaleString("en");

  // Lines are told apart by more than their colour.
  const DASHES = [[], [7, 3], [2, 3]];
  const BORDERS = ["solid", "dashed", "dotted"];

  const CHARTS = {
    throughput: { told: rate, unit: "/s", lines: { pushed: "pushed", attempts: "attempts", succeeded: "done" } },
    failures: { told: rate, unit: "/s", lines: { failed: "failed", dead: "dead" } },
    latency: { told: span, unit: "", lines: { p50: "half within", p95: "95 % within", p99: "99 % within" } },
    depth: { told: count, unit: "", lines: { waiting: "waiting", in_flight: "in flight" } },
  };

  // Steps of the time axis, s: it tells hours and minutes.
  const MINUTES = [60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200];

  let shown = "5m";
  let latest = null;
  let timer = 0;
  let asked = 0;
  const plots = new Map();

  const colour = (name) => getComputedStyle(section).getPropertyValue(name).trim();

  const plot = (figure, chart) => {
    const place = figure.querySelector(".plot");
    const axis = { stroke: colour("--muted"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
    const series = Object.values(chart.lines).map((label, index) => ({
      label,
      stroke: colour(`--line-${index + 1}`),
      width: 2,
      dash: DASHES[index],
      points: { show: false },
      value: (_, value) => (value == null ? "–" : chart.told(value) + chart.unit),
    }));
    const options = {
      width: Math.max(200, place.clientWidth),
      height: 170,
      cursor: { sync: { key: "overview" }, drag: { x: false, y: false }, points: { show: false } },
      scales: { y: { range: (_, least, most) => [0, most > 0 ? most * 1.1 : 1] } },
      axes: [{ ...axis, size: 32, values: "{HH}:{mm}", incrs: MINUTES }, { ...axis, size: 62, values: (_, splits) => splits.map(chart.told) }],
      legend: { markers: { dash: (_, index) => BORDERS[index - 1] } },
      series: [{ label: "time", value: "{HH}:{mm}:{ss}" }, ...series],
    };
    return new uPlot(options, [[]], place);
  };

  const summary = (chart, series) =>
    Object.entries(chart.lines)
      .map(([name, label]) => {
        const known = series[name].filter((value) => value !== null);
        if (!known.length) return `${label}: nothing yet`;
        const most = chart.told(Math.max(...known)) + chart.unit;
        const last = chart.told(known[known.length - 1]) + chart.unit;
        return `${label}: ${last} at last, ${most} at most`;
      })
      .join("; ");

  const draw = () => {
    if (!latest) return;
    section.hidden = false;
    const { from, step, series } = latest;
    const length = series.pushed.length;
    const times = Array.from({ length }, (_, index) => from + index * step);
    for (const figure of section.querySelectorAll("[data-chart]")) {
      const chart = CHARTS[figure.dataset.chart];
      let one = plots.get(figure);
      if (!one) {
        one = plot(figure, chart);
        plots.set(figure, one);
      }
      one.setData([times, ...Object.keys(chart.lines).map((name) => series[name])]);
      if (one.cursor.idx == null) one.setLegend({ idx: length - 1 }, false);
      figure.querySelector("p").textContent = `In ${WORDS[latest.span]}: ${summary(chart, series)}.`;
    }
  };

  const read = async () => {
    clearTimeout(timer);
    const mine = ++asked;
    try {
      const answer = await fetch(`${section.dataset.history}?span=${shown}`, { headers: { Accept: "application/json" } });
      const told = answer.ok ? await answer.json() : null;
      // Another span may have been asked for in the meantime.
      if (mine !== asked) return;
      if (told) {
        latest = told;
        draw();
      }
    } catch {
      // The page says so already: what is live on it has had no answer either.
    }
    if (mine === asked && !document.hidden) timer = setTimeout(read, PAUSES[shown]);
  };

  section.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-span]");
    if (!button) return;
    shown = button.dataset.span;
    for (const one of section.querySelectorAll("button[data-span]"))
      one.setAttribute("aria-pressed", String(one === button));
    read();
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) clearTimeout(timer);
    else read();
  });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const one of plots.values()) one.destroy();
    plots.clear();
    draw();
  });
  new ResizeObserver(() => {
    for (const [figure, one] of plots) {
      const width = Math.max(200, figure.querySelector(".plot").clientWidth);
      if (width !== one.width) one.setSize({ width, height: 170 });
    }
  }).observe(section);

  read();
})();
