"use strict";
(function () {
  const root = document.getElementById("attention");
  const data = JSON.parse(document.getElementById("attention-data").textContent);
  const part = (name) => root.querySelector(`[data-part=${name}]`);
  const STOPS = [[0, 0, 4], [31, 12, 72], [85, 15, 109], [136, 34, 106], [186, 54, 85], [227, 89, 51], [249, 140, 10], [249, 201, 50], [252, 255, 164]];
  const state = { block: 0, head: -1, moment: data.moments.length - 1, sample: 0, row: 0, column: 0 };
  const pictures = data.moments.map((moment) => {
    const strips = {};
    for (const [name, strip] of Object.entries(moment.strips)) {
      strips[name] = new Image();
      strips[name].src = strip.strip;
    }
    return strips;
  });
  const decoded = new Map();

  function bytes(text) {
    return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  }

  function maps() {
    const key = `${state.block}/${state.moment}`;
    if (!decoded.has(key)) {
      const stored = data.blocks[state.block].maps[state.moment];
      const rows = bytes(stored.rows), largest = new Float32Array(bytes(stored.largest).buffer);
      decoded.set(key, { ...stored, rows, largest });
    }
    return decoded.get(key);
  }

  const block = () => data.blocks[state.block];
  const shown = () => data.moments[state.moment].strips[block().network];
  const count = () => data.networks[block().network].captions.length;

  function weights() {
    const stored = maps(), heads = block().heads, keys = stored.keys[0] * stored.keys[1];
    const columns = Math.ceil(stored.queries[1] / stored.step);
    const rows = Math.ceil(stored.queries[0] / stored.step) * columns;
    const query = Math.floor(state.row / stored.step) * columns + Math.floor(state.column / stored.step);
    const chosen = state.head < 0 ? [...Array(heads).keys()] : [state.head];
    const sum = new Float64Array(keys);
    for (const head of chosen) {
      const number = (state.sample * heads + head) * rows + query;
      for (let key = 0; key < keys; key++) {
        sum[key] += stored.rows[number * keys + key] / 255 * stored.largest[number] / chosen.length;
      }
    }
    return { sum, grid: stored.keys };
  }

  function colour(share) {
    const at = Math.min(Math.max(share, 0), 1) * (STOPS.length - 1), low = Math.min(Math.floor(at), STOPS.length - 2);
    return STOPS[low].map((value, i) => Math.round(value + (STOPS[low + 1][i] - value) * (at - low)));
  }

  function prepared(canvas) {
    const [height, width] = shown().size;
    const scale = Math.max(1, Math.round(480 / Math.max(height, width)));
    canvas.width = width * scale;
    canvas.height = height * scale;
    canvas.style.aspectRatio = `${width} / ${height}`;
    const context = canvas.getContext("2d");
    context.imageSmoothingEnabled = false;
    return context;
  }

  function paint(context, sample) {
    const [height, width] = shown().size, picture = pictures[state.moment][block().network];
    if (picture.complete && picture.naturalWidth) {
      context.drawImage(picture, sample * width, 0, width, height, 0, 0, context.canvas.width, context.canvas.height);
    }
  }

  function centre(row, column, grid, canvas) {
    return [(column + 0.5) * canvas.width / grid[1], (row + 0.5) * canvas.height / grid[0]];
  }

  function marker(context, x, y) {
    context.beginPath();
    context.arc(x, y, 7, 0, 2 * Math.PI);
    context.fillStyle = "#56B4E9";
    context.fill();
    context.lineWidth = 2.5;
    context.strokeStyle = "#ffffff";
    context.stroke();
  }

  function arrow(context, from, to) {
    const angle = Math.atan2(to[1] - from[1], to[0] - from[0]), length = Math.hypot(to[0] - from[0], to[1] - from[1]);
    if (length < 12) return;
    for (const [width, stroke] of [[6, "#000000"], [3, "#56B4E9"]]) {
      context.lineWidth = width;
      context.strokeStyle = stroke;
      context.beginPath();
      context.moveTo(...from);
      context.lineTo(...to);
      for (const side of [-0.45, 0.45]) {
        context.moveTo(...to);
        context.lineTo(to[0] - 14 * Math.cos(angle + side), to[1] - 14 * Math.sin(angle + side));
      }
      context.stroke();
    }
  }

  function drawMap(found) {
    const context = prepared(part("map")), canvas = context.canvas;
    context.filter = "grayscale(1) brightness(0.45)";
    paint(context, state.sample);
    context.filter = "none";
    const { sum, grid } = found, largest = Math.max(...sum);
    const width = canvas.width / grid[1], height = canvas.height / grid[0];
    sum.forEach((weight, key) => {
      const share = largest > 0 ? weight / largest : 0;
      context.fillStyle = `rgba(${colour(share).join(",")},${0.15 + 0.75 * share})`;
      context.fillRect(key % grid[1] * width, Math.floor(key / grid[1]) * height, width + 0.5, height + 0.5);
    });
    const from = centre(state.row, state.column, maps().queries, canvas);
    const most = sum.indexOf(largest);
    arrow(context, from, centre(Math.floor(most / grid[1]), most % grid[1], grid, canvas));
    marker(context, ...from);
    return { most, largest, uniform: 1 / sum.length };
  }

  function draw() {
    const [rows, columns] = maps().queries;
    const step = maps().step;
    state.row = Math.floor(Math.min(state.row, rows - 1) / step) * step;
    state.column = Math.floor(Math.min(state.column, columns - 1) / step) * step;
    const context = prepared(part("image"));
    paint(context, state.sample);
    marker(context, ...centre(state.row, state.column, [rows, columns], context.canvas));
    const most = drawMap(weights()), keys = maps().keys;
    const captions = data.networks[block().network].captions;
    part("caption").textContent = `${captions[state.sample]}: row ${state.row + 1} of ${rows}, column ${state.column + 1} of ${columns}`;
    part("text").textContent = `The query in row ${state.row + 1}, column ${state.column + 1} attends most to row `
      + `${Math.floor(most.most / keys[1]) + 1}, column ${most.most % keys[1] + 1} of ${keys[0]} × ${keys[1]} places, with weight `
      + `${most.largest.toPrecision(2)}, ${(most.largest / most.uniform).toPrecision(2)} times the uniform one.`
      + (maps().step > 1 ? ` One query in ${maps().step} of each axis is stored.` : "")
      + (maps().pooled > 1 ? ` Weights of ${maps().pooled} × ${maps().pooled} keys are added up.` : "");
    const moment = data.moments[state.moment].images;
    part("moment-text").textContent = `${moment.toLocaleString("en")} images`;
    part("moment").setAttribute("aria-valuetext", `${moment.toLocaleString("en")} images`);
    root.dataset.query = `${state.row},${state.column}`;
  }

  function thumbnails() {
    const holder = part("samples");
    holder.replaceChildren();
    data.networks[block().network].captions.forEach((caption, number) => {
      const button = document.createElement("button"), canvas = document.createElement("canvas");
      button.type = "button";
      button.setAttribute("aria-pressed", number === state.sample);
      paint(prepared(canvas), number);
      button.append(canvas, document.createTextNode(caption));
      button.addEventListener("click", () => { state.sample = number; press(); draw(); });
      holder.append(button);
    });
  }

  function press() {
    [...part("samples").children].forEach((button, number) => button.setAttribute("aria-pressed", number === state.sample));
  }

  function interval(estimate) {
    if (!estimate) return "not defined";
    const margin = estimate.margin === null ? "" : ` ± ${estimate.margin.toPrecision(2)}`;
    return `${estimate.mean.toPrecision(3)}${margin}`;
  }

  function numbers() {
    const of = block().numbers, gamma = block().gamma, effect = block().effect;
    const rows = [
      ...(gamma === null ? [] : [["γ", gamma.toPrecision(3), "the block adds γ times what it attends to"]]),
      ...(effect === null ? [] : [["effect", `${(100 * effect).toPrecision(2)} %`, "share by which the block changes its input"]]),
      ...(of === null ? [] : [
        ["query dependence", interval(of.query_dependence), "0: all positions attend alike; 1: each to a place of its own"],
        ["evenness", interval(of.evenness), "1: every place has the same weight"],
        ["distance", interval(of.distance), `mean distance of what is attended to, in image sides; uniform: ${of.uniform_distance.toPrecision(3)}`],
        ["likeness in colour", interval(of.colour_correlation), "correlation of attention with it"],
        ["nearness", interval(of.nearness_correlation), "correlation of attention with it"],
      ]),
    ];
    part("counted").textContent = of === null ? "" : `Means over ${of.query_dependence.n} images as the run stands now, with 95 % intervals.`;
    const table = part("numbers");
    [...table.querySelectorAll("tr")].forEach((row) => row.remove());
    for (const [name, value, meaning] of rows) {
      const row = table.insertRow(), head = document.createElement("th");
      head.scope = "row";
      head.textContent = name;
      row.append(head);
      const cell = row.insertCell();
      cell.className = "number";
      cell.textContent = value;
      row.insertCell().textContent = meaning;
    }
  }

  function choose(number) {
    state.block = number;
    state.head = -1;
    state.sample = Math.min(state.sample, count() - 1);
    const heads = block().heads, select = part("head");
    select.replaceChildren(new Option("mean of all", -1), ...[...Array(heads).keys()].map((head) => new Option(`head ${head + 1}`, head)));
    part("head-label").hidden = heads === 1;
    thumbnails();
    numbers();
    draw();
  }

  function moveTo(event) {
    const box = event.currentTarget.getBoundingClientRect(), [rows, columns] = maps().queries;
    const clamp = (value, most) => Math.min(Math.max(Math.floor(value), 0), most - 1);
    state.column = clamp((event.clientX - box.left) / box.width * columns, columns);
    state.row = clamp((event.clientY - box.top) / box.height * rows, rows);
    draw();
  }

  const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  part("image").addEventListener("pointermove", moveTo);
  part("image").addEventListener("pointerdown", moveTo);
  part("image").addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    if (!step) return;
    event.preventDefault();
    const [rows, columns] = maps().queries;
    state.row = Math.min(Math.max(state.row + step[0] * maps().step, 0), rows - 1);
    state.column = Math.min(Math.max(state.column + step[1] * maps().step, 0), columns - 1);
    draw();
  });
  data.blocks.forEach((one, number) => part("block").append(new Option(one.path, number)));
  part("block").addEventListener("change", (event) => choose(Number(event.target.value)));
  part("head").addEventListener("change", (event) => { state.head = Number(event.target.value); draw(); });
  part("moment").max = data.moments.length - 1;
  part("moment").value = state.moment;
  part("moment-label").hidden = data.moments.length === 1;
  part("moment").addEventListener("input", (event) => { state.moment = Number(event.target.value); thumbnails(); draw(); });
  state.row = Math.floor(maps().queries[0] / 2);
  state.column = Math.floor(maps().queries[1] / 2);
  Promise.all(pictures.flatMap((strips) => Object.values(strips).map((image) => image.decode()))).then(() => { choose(0); root.dataset.ready = "true"; });
})();
