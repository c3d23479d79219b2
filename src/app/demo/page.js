'use strict';
(() => {
  // Everything that comes from the server becomes a text node, never markup.
  const RETRY_STREAM_MS = 10_000;  // when there was no place among the streams
  const MOST_CHIPS = 12;
  const byId = (id) => document.getElementById(id);
  const within = (card, selector) => byId(card).querySelector(selector);
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const whole = new Intl.NumberFormat();

  const kilobytes = (bytes) => bytes < 1000 ? `${bytes} B` : `${(bytes / 1000).toFixed(1)} kB`;
  const shortNumber = (number) =>
    number < 10 ? number.toFixed(1) : whole.format(Math.round(number));
  const spanOf = (seconds) => {
    const all = Math.floor(seconds);
    const two = (number) => String(number).padStart(2, '0');
    if (all < 60) return `${all} s`;
    if (all < 3600) return `${Math.floor(all / 60)}:${two(all % 60)}`;
    return `${Math.floor(all / 3600)}:${two(Math.floor(all / 60) % 60)}:${two(all % 60)}`;
  };

  // `?theme=dark` or `?theme=light` overrides what the browser prefers.
  const theme = new URLSearchParams(location.search).get('theme');
  if (theme === 'dark' || theme === 'light') document.documentElement.dataset.theme = theme;
  for (const place of document.querySelectorAll('.origin')) place.textContent = location.origin;

  // ---- Live figures

  const rates = [];
  let last = null;

  const draw = () => {
    const peak = Math.max(...rates);
    const start = 60 - rates.length;
    const height = (rate) => (19 - rate / Math.max(peak, 1) * 17).toFixed(2);
    byId('peak').textContent = shortNumber(peak);
    byId('spark').setAttribute('d', rates.map((rate, at) =>
      `${at ? 'L' : 'M'}${start + at + 0.5} ${height(rate)}`).join(''));
  };

  const addRate = (requests) => {
    const now = performance.now();
    if (last && now - last.at <= 400) return;
    if (last) {
      const rate = Math.max(0, (requests - last.requests) / (now - last.at) * 1000);
      rates.push(rate);
      if (rates.length > 60) rates.shift();
      byId('rate').textContent = shortNumber(rate);
      draw();
    }
    last = {at: now, requests};
  };

  const show = (stats) => {
    byId('version').textContent = stats.version;
    byId('requests').textContent = whole.format(stats.requests);
    byId('open').textContent = whole.format(stats.connections.open);
    byId('asleep').textContent = whole.format(stats.asleep);
    byId('streams').textContent = whole.format(stats.streams);
    byId('workers').textContent = whole.format(stats.workers);
    byId('uptime').textContent = spanOf(stats.uptime_seconds);
    byId('backend').textContent = stats.backend.name;
    byId('reason').textContent = `${stats.backend.reason}.`;
    addRate(stats.requests);
  };

  const tell = (kind, text) => {
    byId('state').className = `state ${kind}`;
    byId('state').lastElementChild.textContent = text;
  };
  const lose = () => {
    tell('lost', 'The server does not answer. Is it still running?');
    last = null;
  };

  const askForStats = async () => {
    const answer = await fetch('/api/stats', {cache: 'no-store'});
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    return answer.json();
  };

  let stream = null;
  let polling = false;

  // In place of the stream, when the server has no place for one more.
  const poll = async () => {
    if (polling) return;
    polling = true;
    const until = performance.now() + RETRY_STREAM_MS;
    while (!document.hidden && performance.now() < until) {
      try {
        show(await askForStats());
        tell('live', 'asked for once a second');
      } catch {
        lose();
      }
      await pause(1000);
    }
    polling = false;
    listen();
  };

  const listen = () => {
    if (stream || polling || document.hidden) return;
    stream = new EventSource('/api/events');
    stream.addEventListener('figures', (event) => {
      show(JSON.parse(event.data));
      tell('live', 'pushed by the server');
    });
    stream.addEventListener('error', () => {
      if (!stream) return;
      if (stream.readyState === EventSource.CONNECTING) return lose();
      stream = null;
      poll();
    });
  };

  // Nobody looks: the place is for others, and so is the connection.
  const hush = () => {
    if (stream) stream.close();
    stream = null;
    last = null;
  };
  document.addEventListener('visibilitychange', () => document.hidden ? hush() : listen());
  listen();

  // ---- Parking

  const cells = Array.from({length: 100}, () => document.createElement('i'));
  byId('cells').append(...cells);
  const paint = (name) => { for (const cell of cells) cell.className = name; };
  const sayParked = (kind, text) => {
    byId('park-said').className = kind;
    byId('park-said').textContent = text;
  };

  // The most that were seen asleep while `work` ran.
  const watchAsleep = async (work) => {
    let most = 0;
    let running = true;
    const watching = (async () => {
      while (running) {
        const stats = await askForStats();
        most = Math.max(most, stats.asleep);
        show(stats);
        await pause(100);
      }
    })().catch(() => {});
    try {
      return {result: await work(), most: () => most};
    } finally {
      running = false;
      await watching;
    }
  };

  const park = async () => {
    const answer = await fetch('/park/100/500', {method: 'POST'});
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    return answer.json();
  };

  byId('park-button').addEventListener('click', async () => {
    byId('park-button').disabled = true;
    paint('parked');
    sayParked('', 'parked …');
    try {
      const {result, most} = await watchAsleep(park);
      const [first, final] = [result.first_ms.toFixed(0), result.last_ms.toFixed(0)];
      paint('done');
      sayParked('', `All ${result.finished} woke after ` +
        `${first === final ? '' : `${first} to `}${final} ms.` +
        (most() > 0 ? ` Seen asleep at once: ${most()}.` : ''));
    } catch (error) {
      paint('');
      sayParked('failed', `That failed: ${error.message}`);
    }
    byId('park-button').disabled = false;
  });

  // ---- Cards that show an answer

  const sayIn = (card, failed, text) => {
    const status = within(card, '.status');
    status.className = failed ? 'status failed' : 'status';
    status.textContent = text;
  };

  const indented = (text, type) => {
    if (!type.includes('json')) return text;
    try {
      return JSON.stringify(JSON.parse(text), null, 2);
    } catch {
      return text;
    }
  };

  // Asks, and shows the answer in the card.
  const ask = async (card, path, init) => {
    const body = within(card, 'output pre');
    const started = performance.now();
    try {
      const answer = await fetch(path, init);
      const type = answer.headers.get('content-type') || '';
      const text = await answer.text();
      const took = (performance.now() - started).toFixed(1);
      sayIn(card, !answer.ok, `${answer.status} ${type.split(';')[0]}, ${took} ms`);
      body.textContent = indented(text, type);
    } catch (error) {
      sayIn(card, true, `That failed: ${error.message}`);
      body.textContent = '';
    }
  };

  const onSubmit = (card, submit) => within(card, 'form').addEventListener('submit', (event) => {
    event.preventDefault();
    submit();
  });

  onSubmit('route', () => ask('route', `/users/${encodeURIComponent(byId('id').value)}`));
  onSubmit('echo', () => ask('echo', '/echo', {
    method: 'POST', body: byId('text').value, headers: {'content-type': 'text/plain'}}));

  // What is no number is sent as it is, for the server to complain of.
  const numberOr = (text) =>
    text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : text;
  const order = () => ask('order', '/orders', {
    method: 'POST',
    headers: {'content-type': 'application/json'},
    body: JSON.stringify({
      name: byId('order-name').value,
      weave: byId('order-weave').value,
      metres: numberOr(byId('order-metres').value),
      mail: byId('order-mail').value || null,
    }),
  });
  onSubmit('order', order);
  byId('order-mistakes').addEventListener('click', () => {
    byId('order-name').value = '';
    byId('order-weave').value = 'velvet';
    byId('order-metres').value = '51';
    byId('order-mail').value = 'nowhere';
    order();
  });

  onSubmit('upload', () => {
    const file = byId('file').files[0];
    if (!file) return sayIn('upload', true, 'Choose a file first.');
    const form = new FormData();
    form.append('file', file);
    ask('upload', '/upload', {method: 'POST', body: form});
  });

  // ---- Sessions

  const askForVisits = async (method) => {
    try {
      const answer = await fetch('/visits', {method});
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      const {visits} = await answer.json();
      byId('visits-count').textContent = whole.format(visits);
      byId('visits-unit').textContent = visits === 1 ? 'visit' : 'visits';
      sayIn('visits', false, '');
    } catch (error) {
      sayIn('visits', true, `That failed: ${error.message}`);
    }
  };
  byId('visits-reset').addEventListener('click', () => askForVisits('DELETE'));
  askForVisits('POST');

  // ---- Rate limiter

  const addChip = (answer) => {
    const chip = document.createElement('i');
    chip.textContent = answer.status;
    if (!answer.ok) chip.className = 'failed';
    const chips = byId('limited-chips');
    chips.append(chip);
    if (chips.childElementCount > MOST_CHIPS) chips.firstElementChild.remove();
  };
  byId('limited-button').addEventListener('click', async () => {
    try {
      const answer = await fetch('/limited', {cache: 'no-store'});
      const left = answer.headers.get('ratelimit-remaining');
      const after = answer.headers.get('retry-after');
      addChip(answer);
      sayIn('limited', !answer.ok, answer.ok ? `200, ${left} left`
        : `429 Too Many Requests, Retry-After: ${after} s`);
    } catch (error) {
      sayIn('limited', true, `That failed: ${error.message}`);
    }
  });

  // ---- Compression and ETag

  let tag = '';
  const showSizes = (wire, all) => {
    byId('packed-bars').hidden = false;
    byId('packed-wire').value = wire / all;
    byId('packed-wire-size').textContent = kilobytes(wire);
    byId('packed-all-size').textContent = kilobytes(all);
  };
  const getText = async (headers) => {
    try {
      const answer = await fetch('/text', {cache: 'no-store', headers});
      const all = (await answer.blob()).size;
      if (answer.status === 304) {
        return sayIn('packed', false, '304 Not Modified: no body at all');
      }
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      tag = answer.headers.get('etag') || '';
      byId('packed-again').disabled = !tag;
      sayIn('packed', false, `200, ${answer.headers.get('content-encoding') || 'not packed'}`);
      showSizes(Number(answer.headers.get('content-length')), all);
    } catch (error) {
      sayIn('packed', true, `That failed: ${error.message}`);
    }
  };
  byId('packed-button').addEventListener('click', () => getText({}));
  byId('packed-again').addEventListener('click', () => getText({'if-none-match': tag}));
})();
