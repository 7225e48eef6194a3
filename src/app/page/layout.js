/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* layout.js - places for the nodes of a directed graph, from top to bottom (after Sugiyama, Tagawa
 * and Toda, 1981): layers, their order, then coordinates. */

const BOX = { width: 224, height: 64, gapX: 30, gapY: 44 };

/* nodes: [{id}], edges: [{from, to}] by id.  Returns {places: Map of id to {x, y}, routes: for each
 * edge the points that it goes through, width, height}; x and y are of a node's upper left corner. */
function layOut(nodes, edges) {
  const items = new Map(nodes.map((node, index) => [node.id, { id: node.id, index, real: true, width: BOX.width }]));
  const known = edges.filter((edge) => items.has(edge.from) && items.has(edge.to) && edge.from !== edge.to);
  setLayers(items, known);
  const { layers, links, chains } = makeLayers(items, known);
  orderLayers(layers, links);
  const size = setPlaces(layers, links);
  const places = new Map();
  for (const node of nodes) {
    const item = items.get(node.id);
    places.set(node.id, { x: item.x, y: item.y });
  }
  const routes = edges.map((edge) => {
    const chain = chains.get(edge);
    return chain ? chain.map((item) => ({ x: item.x + item.width / 2, y: item.y, real: item.real })) : null;
  });
  return { places, routes, width: size.width, height: size.height };
}

/* Each node is one below the lowest that it hangs on. */
function setLayers(items, edges) {
  const above = new Map([...items.keys()].map((id) => [id, []]));
  for (const edge of edges) above.get(edge.to).push(edge.from);
  const open = new Set();
  function layerOf(id) {
    const item = items.get(id);
    if (item.layer !== undefined) return item.layer;
    if (open.has(id)) return 0; /* a circle, which pipelines do not have */
    open.add(id);
    item.layer = above.get(id).reduce((most, other) => Math.max(most, layerOf(other) + 1), 0);
    return item.layer;
  }
  for (const id of items.keys()) layerOf(id);
  /* A source stands right above its first consumer, not far up at the top. */
  for (const item of items.values()) {
    const below = edges.filter((edge) => edge.from === item.id).map((edge) => items.get(edge.to).layer);
    if (above.get(item.id).length === 0 && below.length) item.layer = Math.max(0, Math.min(...below) - 1);
  }
}

/* Edges over several layers get a stand-in in each between. */
function makeLayers(items, edges) {
  const layers = [], links = [], chains = new Map();
  const put = (item) => (layers[item.layer] ||= []).push(item);
  for (const item of items.values()) put(item);
  for (const edge of edges) {
    const from = items.get(edge.from), to = items.get(edge.to);
    const chain = [from];
    for (let layer = from.layer + 1; layer < to.layer; layer++) {
      const item = { layer, real: false, width: 14 };
      put(item);
      chain.push(item);
    }
    chain.push(to);
    for (let i = 1; i < chain.length; i++) links.push([chain[i - 1], chain[i]]);
    chains.set(edge, chain);
  }
  return { layers: layers.map((layer) => layer || []), links, chains };
}

function neighbours(links, down) {
  const map = new Map();
  for (const [upper, lower] of links) {
    const [key, other] = down ? [lower, upper] : [upper, lower];
    if (!map.has(key)) map.set(key, []);
    map.get(key).push(other);
  }
  return map;
}

function crossings(layers, links) {
  let count = 0;
  for (let i = 0; i < layers.length; i++) {
    const here = links.filter(([upper]) => upper.layer === i);
    for (let a = 0; a < here.length; a++)
      for (let b = a + 1; b < here.length; b++)
        if ((here[a][0].order - here[b][0].order) * (here[a][1].order - here[b][1].order) < 0) count++;
  }
  return count;
}

/* Sweeps down and up, each layer by the mean place of its neighbours; the best order stays. */
function orderLayers(layers, links) {
  const number = () => layers.forEach((layer) => layer.forEach((item, i) => (item.order = i)));
  const above = neighbours(links, true), below = neighbours(links, false);
  number();
  let best = layers.map((layer) => [...layer]), least = crossings(layers, links);
  for (let sweep = 0; sweep < 12 && least > 0; sweep++) {
    const down = sweep % 2 === 0, map = down ? above : below;
    for (const layer of down ? layers : [...layers].reverse()) {
      const mean = new Map(layer.map((item) => {
        const others = map.get(item) || [];
        return [item, others.length ? others.reduce((sum, other) => sum + other.order, 0) / others.length : item.order];
      }));
      layer.sort((a, b) => mean.get(a) - mean.get(b) || a.order - b.order);
      layer.forEach((item, i) => (item.order = i));
    }
    const now = crossings(layers, links);
    if (now < least) {
      least = now;
      best = layers.map((layer) => [...layer]);
    }
  }
  layers.forEach((layer, i) => layer.splice(0, layer.length, ...best[i]));
  number();
}

/* Moves each item towards the middle of its neighbours, keeping the order and the gaps. */
function setPlaces(layers, links) {
  const above = neighbours(links, true), below = neighbours(links, false);
  layers.forEach((layer, i) => {
    let x = 0;
    for (const item of layer) {
      item.x = x;
      item.y = i * (BOX.height + BOX.gapY);
      x += item.width + BOX.gapX;
    }
    layer.forEach((item) => (item.x -= (x - BOX.gapX) / 2));
  });
  for (let round = 0; round < 24; round++) {
    const down = round % 2 === 0;
    for (const layer of down ? layers : [...layers].reverse()) {
      const wanted = layer.map((item) => {
        const others = (down ? above : below).get(item) || (down ? below : above).get(item) || [];
        if (!others.length) return item.x;
        const middles = others.map((other) => other.x + other.width / 2).sort((a, b) => a - b);
        const middle = (middles[(middles.length - 1) >> 1] + middles[middles.length >> 1]) / 2;
        return middle - item.width / 2;
      });
      spread(layer, wanted);
    }
  }
  const all = layers.flat();
  const left = Math.min(...all.map((item) => item.x));
  all.forEach((item) => (item.x -= left));
  return {
    width: Math.max(...all.map((item) => item.x + item.width)),
    height: layers.length * (BOX.height + BOX.gapY) - BOX.gapY,
  };
}

/* The places nearest to those wanted, in least squares, at which nothing overlaps: neighbours that
 * want the same room become a block, which lies where its members want it on average. */
function spread(layer, wanted) {
  const blocks = [];
  let offset = 0;
  layer.forEach((item, i) => {
    blocks.push({ from: i, n: 1, sum: wanted[i] - offset, offset });
    offset += item.width + BOX.gapX;
    while (blocks.length > 1) {
      const last = blocks[blocks.length - 1], before = blocks[blocks.length - 2];
      if (before.sum / before.n <= last.sum / last.n) break;
      before.n += last.n;
      before.sum += last.sum;
      blocks.pop();
    }
  });
  for (const block of blocks) {
    let at = block.sum / block.n + block.offset;
    for (let i = block.from; i < block.from + block.n; i++) {
      layer[i].x = at;
      at += layer[i].width + BOX.gapX;
    }
  }
}
