'use strict';
(() => {
  // Everything that comes from the document or from an answer becomes a text node, never markup.
  const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'];
  const MOST_SHOWN = 256 * 1024;  // characters of an answer
  const MOST_LEVELS = 6;          // of an example
  const byId = (id) => document.getElementById(id);
  const documentUrl = new URL(document.body.dataset.document, location.href);
  let spec = {};
  const secrets = new Map();  // what the reader has given, by security scheme

  const make = (tag, attributes, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === undefined || value === null || value === false) continue;
      if (name.startsWith('on')) made.addEventListener(name.slice(2), value);
      else if (name === 'class') made.className = value;
      else made.setAttribute(name, value === true ? '' : String(value));
    }
    made.append(...children.flat().filter((child) => child !== undefined && child !== null));
    return made;
  };

  // Paragraphs, `code` and **stress**: of CommonMark what descriptions have most.
  const inline = (part) => {
    if (/^`[^`]+`$/.test(part)) return make('code', {}, part.slice(1, -1));
    if (/^\*\*[^*]+\*\*$/.test(part)) return make('strong', {}, part.slice(2, -2));
    return part;
  };
  const prose = (text, name = 'prose') => {
    const made = make('div', {class: name});
    for (const paragraph of String(text || '').split(/\n\s*\n/)) {
      if (!paragraph.trim()) continue;
      made.append(make('p', {}, paragraph.split(/(`[^`]+`|\*\*[^*]+\*\*)/).map(inline)));
    }
    return made;
  };

  // ---- Schemas

  const resolve = (schema) => {
    let at = schema || {};
    for (let hops = 0; at.$ref && hops < 16; ++hops) {
      const steps = String(at.$ref).replace(/^#\//, '').split('/');
      at = steps.reduce((node, step) =>
        node && node[step.replace(/~1/g, '/').replace(/~0/g, '~')], spec) || {};
    }
    return at;
  };
  const nameOf = (schema) => schema.$ref ? String(schema.$ref).split('/').pop() : '';
  const isNull = (schema) => schema.type === 'null';
  const plainType = (schema) => Array.isArray(schema.type)
    ? schema.type.find((type) => type !== 'null') : schema.type;

  const typeText = (schema) => {
    if (schema.$ref) return nameOf(schema);
    if (schema.anyOf) return schema.anyOf.map((one) => isNull(one) ? 'null' : typeText(one)).join(' | ');
    const nullable = Array.isArray(schema.type) && schema.type.includes('null') ? ' | null' : '';
    if (schema.contentMediaType !== undefined) return `file, ${schema.contentMediaType}`;
    const type = plainType(schema) || 'anything';
    if (type === 'array') return `array of ${typeText(schema.items || {})}${nullable}`;
    if (type === 'object' && typeof schema.additionalProperties === 'object') {
      return `map of ${typeText(schema.additionalProperties)}${nullable}`;
    }
    return (schema.format ? `${type} (${schema.format})` : type) + nullable;
  };

  const span = (low, high, unit) => {
    if (low === undefined && high === undefined) return '';
    if (low === undefined) return `at most ${high}${unit}`;
    if (high === undefined) return `at least ${low}${unit}`;
    return low === high ? `exactly ${low}${unit}` : `${low} to ${high}${unit}`;
  };
  const ruleTexts = (schema) => {
    const rules = [
      span(schema.minimum, schema.maximum, ''),
      span(schema.minLength, schema.maxLength, ' characters'),
      span(schema.minItems, schema.maxItems, ' elements'),
      span(schema.minProperties, schema.maxProperties, ' members'),
    ];
    if (schema.pattern) rules.push(`like ${schema.pattern}`);
    if (schema.additionalProperties === false) rules.push('no other members');
    if (plainType(schema) === 'array') {
      const items = ruleTexts(schema.items || {}).join(', ');
      if (items) rules.push(`each ${items}`);
    }
    if (schema.enum) rules.push(`one of ${schema.enum.map((one) => JSON.stringify(one)).join(', ')}`);
    if (schema.default !== undefined) rules.push(`${JSON.stringify(schema.default)} unless given`);
    return rules.filter(Boolean);
  };

  // The struct that a type holds, directly or in arrays, maps and alternatives.
  const structIn = (schema) => {
    if (!schema) return undefined;
    if (schema.$ref) {
      const target = resolve(schema);
      return target.properties ? target : structIn(target);
    }
    if (schema.properties) return schema;
    if (schema.anyOf) return schema.anyOf.map(structIn).find(Boolean);
    if (schema.items) return structIn(schema.items);
    if (typeof schema.additionalProperties === 'object') return structIn(schema.additionalProperties);
    return undefined;
  };

  const row = (name, schema, required, description) => {
    const rules = ruleTexts(schema);
    const words = description || schema.description;
    return make('div', {class: 'row'},
      make('div', {class: 'line'},
        name ? make('span', {class: 'name'}, name) : null,
        make('span', {class: 'type'}, typeText(schema)),
        required ? make('span', {class: 'must'}, 'required') : null,
        rules.length ? make('span', {class: 'rule'}, rules.join(' · ')) : null),
      words ? prose(words, 'note') : null,
      nested(schema));
  };
  // Filled when it is opened, so that structs that hold themselves end.
  const nested = (schema) => {
    const struct = structIn(schema);
    if (!struct) return null;
    const details = make('details', {class: 'nested'},
      make('summary', {}, `Fields of ${structName(schema) || 'it'}`));
    details.addEventListener('toggle', () => {
      if (details.open && details.children.length === 1) details.append(structRows(struct));
    });
    return details;
  };
  const structName = (schema) => {
    if (schema.$ref) return nameOf(schema);
    const inner = [...(schema.anyOf || []), schema.items, schema.additionalProperties];
    return inner.filter((one) => one && typeof one === 'object').map(structName).find(Boolean) || '';
  };
  const structRows = (struct) => {
    const required = new Set(struct.required || []);
    const rows = make('div', {class: 'rows'});
    for (const [name, schema] of Object.entries(struct.properties || {})) {
      rows.append(row(name, schema, required.has(name)));
    }
    if (!rows.children.length) rows.append(make('div', {class: 'row note'}, 'No fields'));
    return rows;
  };
  const wholeSchema = (schema) => {
    if (schema.$ref && resolve(schema).properties) return structRows(resolve(schema));
    return make('div', {class: 'rows'}, row('', schema, false));
  };

  const example = (schema, levels = 0) => {
    if (!schema || levels > MOST_LEVELS) return null;
    if (schema.$ref) return example(resolve(schema), levels + 1);
    if (schema.default !== undefined) return schema.default;
    if (schema.enum) return schema.enum[0];
    if (schema.anyOf) return example(schema.anyOf.find((one) => !isNull(one)), levels + 1);
    switch (plainType(schema)) {
      case 'object': {
        const made = {};
        for (const [name, one] of Object.entries(schema.properties || {})) {
          made[name] = example(one, levels + 1);
        }
        return made;
      }
      case 'array':
        return schema.minItems > 0 ? [example(schema.items, levels + 1)] : [];
      case 'boolean': return false;
      case 'integer':
      case 'number': {
        const least = schema.minimum === undefined ? 0 : schema.minimum;
        return least > 0 ? least : Math.min(0, schema.maximum === undefined ? 0 : schema.maximum);
      }
      case 'string': {
        if (schema.format === 'email') return 'somebody@example.org';
        if (schema.format === 'uuid') return '123e4567-e89b-12d3-a456-426614174000';
        return 'text'.padEnd(schema.minLength || 0, '.').slice(0, schema.maxLength);
      }
    }
    return null;
  };

  // ---- Inputs of the form

  let lastId = 0;
  const isFile = (schema) => Boolean(schema) && schema.contentMediaType !== undefined;
  // One value, or for an array several: an element's text, or texts; or files.
  const input = (schema, name, required) => {
    const type = plainType(resolve(schema));
    const actual = resolve(schema);
    const id = `input-${++lastId}`;
    const isFiles = isFile(actual) || (type === 'array' && isFile(resolve(actual.items)));
    let control;
    if (isFiles) {
      control = make('input', {id, type: 'file', multiple: type === 'array' ? '' : null});
    } else if (type === 'array') {
      control = make('textarea', {id, class: 'short', spellcheck: 'false',
        placeholder: 'one on each line'});
    } else if (actual.enum || type === 'boolean') {
      const choices = actual.enum ? actual.enum.filter((one) => one !== null) : [true, false];
      control = make('select', {id}, required ? null : make('option', {value: ''}, '—'),
        choices.map((one) => make('option', {value: one}, String(one))));
    } else {
      const numeric = type === 'integer' || type === 'number';
      control = make('input', {id, type: 'text', autocomplete: 'off', spellcheck: 'false',
        inputmode: numeric ? (type === 'integer' && !(actual.minimum < 0) ? 'numeric' : 'text') : null,
        placeholder: actual.default !== undefined ? String(actual.default) : null});
    }
    control.required = Boolean(required);
    const field = make('div', {class: 'field'},
      make('label', {for: id}, make('span', {class: 'name'}, name),
        make('span', {class: 'hint'}, typeText(schema)),
        required ? make('span', {class: 'must'}, 'required') : null),
      control);
    const values = () => isFiles ? [...control.files] : type === 'array'
      ? control.value.split('\n').filter((line) => line !== '')
      : control.value === '' && !(required && type === 'string') ? [] : [control.value];
    return {field, values, control};
  };

  // Inputs for a body of the chosen type: its text, or what fetch() takes.
  const bodyEditor = (content) => {
    const types = Object.keys(content);
    const place = make('div', {class: 'field wide'});
    let read = () => ({});
    const choose = (type) => {
      const schema = content[type].schema || {};
      place.replaceChildren();
      if (/^(application\/x-www-form-urlencoded|multipart\/form-data)$/.test(type)) {
        const struct = structIn(schema) || {properties: {}};
        const required = new Set(struct.required || []);
        const inputs = Object.entries(struct.properties).map(([name, one]) =>
          ({name, ...input(one, name, required.has(name))}));
        place.append(make('div', {class: 'fields'}, inputs.map((one) => one.field)));
        read = () => {
          const made = type.startsWith('multipart') ? new FormData() : new URLSearchParams();
          for (const one of inputs) one.values().forEach((value) => made.append(one.name, value));
          return {body: made};  // which sets the type, with its boundary
        };
      } else if (isFile(schema)) {
        const file = input(schema, 'Body', true);
        place.append(file.field);
        read = () => ({body: file.values()[0], type});
      } else {
        const id = `input-${++lastId}`;
        const text = make('textarea', {id, class: 'body', spellcheck: 'false'});
        text.value = JSON.stringify(example(schema), null, 2);
        text.rows = Math.min(24, Math.max(4, text.value.split('\n').length));
        place.append(make('label', {for: id}, make('span', {class: 'name'}, 'Body')), text);
        read = () => ({body: text.value, type});
      }
    };
    let chooser = null;
    if (types.length > 1) {
      const id = `input-${++lastId}`;
      const select = make('select', {id, onchange: () => choose(select.value)},
        types.map((type) => make('option', {value: type}, type)));
      chooser = make('div', {class: 'field wide'},
        make('label', {for: id}, make('span', {class: 'name'}, 'Content-Type')), select);
    }
    if (types.length) choose(types[0]);
    return {fields: [chooser, place], read: () => read()};
  };

  // ---- Requests

  // The document's own place tells where the application is, behind a proxy too.
  const baseUrl = () => {
    const server = (spec.servers || [])[0];
    if (server) return new URL(server.url, documentUrl).href.replace(/\/$/, '');
    const known = document.body.dataset.path;
    const path = documentUrl.pathname;
    return documentUrl.origin + (path.endsWith(known) ? path.slice(0, -known.length) : '');
  };
  const schemesOf = (operation) => {
    const wanted = operation.security || spec.security || [];
    const schemes = (spec.components || {}).securitySchemes || {};
    return wanted.flatMap((one) => Object.keys(one)).filter((name) => schemes[name])
      .map((name) => [name, schemes[name]]);
  };
  const base64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));
  const addSecret = (headers, query, operation) => {
    for (const [name, scheme] of schemesOf(operation)) {
      const secret = secrets.get(name);
      if (!secret) continue;
      if (scheme.type === 'apiKey') {
        if (scheme.in === 'header') headers.set(scheme.name, secret);
        if (scheme.in === 'query') query.append(scheme.name, secret);
      } else if (scheme.scheme === 'basic') {
        headers.set('Authorization', `Basic ${base64(secret)}`);
      } else {
        headers.set('Authorization', `Bearer ${secret}`);
      }
      return;  // one is enough
    }
  };
  const quoted = (text) => `'${String(text).replace(/'/g, `'\\''`)}'`;
  const curlOf = (request) => {
    const words = ['curl', '-X', request.method, quoted(request.url)];
    request.headers.forEach((value, name) => words.push('-H', quoted(`${name}: ${value}`)));
    const body = request.body;
    if (body instanceof FormData) {
      body.forEach((value, name) => words.push('--form-string', quoted(`${name}=${value}`)));
    } else if (body !== undefined) {
      words.push('--data-raw', quoted(body));
    }
    return words.join(' ');
  };

  const shownBody = (text, type) => {
    if (!/json/.test(type)) return text;
    try {
      return JSON.stringify(JSON.parse(text), null, 2);
    } catch {
      return text;
    }
  };
  const isReadable = (type) => type === '' || /^text\/|json|xml|javascript|urlencoded/.test(type);

  // Shows what has come so far, so that streams of events can be watched.
  const showAnswer = async (answer, request, began, at) => {
    const type = answer.headers.get('content-type') || '';
    const headers = make('dl', {class: 'headers'});
    answer.headers.forEach((value, name) => headers.append(make('dt', {}, name), make('dd', {}, value)));
    const size = make('span', {class: 'note'});
    const body = make('pre', {tabindex: '0', 'aria-label': 'Body of the answer'});
    at.replaceChildren(
      make('div', {class: 'line'},
        make('span', {class: `status ${answer.ok ? 'good' : 'bad'}`},
          `${answer.status} ${answer.statusText}`),
        size),
      make('details', {}, make('summary', {}, 'Headers'), headers),
      body,
      make('details', {}, make('summary', {}, 'The request, for a shell'),
        make('pre', {tabindex: '0'}, curlOf(request))));
    const decoder = new TextDecoder();
    const reader = answer.body ? answer.body.getReader() : null;
    let text = '';
    let bytes = 0;
    const tell = (more) => {
      size.textContent = `${bytes} bytes${more}, ${Math.round(performance.now() - began)} ms`;
    };
    tell(' so far');
    for (let cut = false; reader && !cut;) {
      const {done, value} = await reader.read();
      if (done) break;
      bytes += value.length;
      if (isReadable(type)) {
        text += decoder.decode(value, {stream: true});
        cut = text.length > MOST_SHOWN;
        if (cut) await reader.cancel();
        body.textContent = text.slice(0, MOST_SHOWN) + (cut ? '\n… and more' : '');
      }
      tell(' so far');
    }
    tell('');
    if (!isReadable(type)) body.textContent = `What came is no text, but ${type}.`;
    else if (text.length <= MOST_SHOWN) body.textContent = shownBody(text, type);
    body.hidden = bytes === 0;
  };

  const trySection = (path, method, operation, parameters) => {
    const inputs = parameters.map((one) =>
      ({parameter: one, ...input(one.schema || {}, one.name,
        one.required && !one['x-rest-of-path'])}));
    const body = operation.requestBody ? bodyEditor(operation.requestBody.content || {}) : null;
    const answer = make('div', {class: 'answer', role: 'status', 'aria-live': 'polite'});
    const send = make('button', {class: 'main', type: 'submit'}, 'Send');
    const stop = make('button', {type: 'button', hidden: true}, 'Stop');
    let running = null;

    const requestOf = () => {
      const query = new URLSearchParams();
      const headers = new Headers();
      let target = path;
      for (const {parameter, values} of inputs) {
        const texts = values();
        if (parameter.in === 'path') {
          const text = texts[0] || '';
          const coded = parameter['x-rest-of-path']
            ? text.split('/').map(encodeURIComponent).join('/') : encodeURIComponent(text);
          target = target.split(`{${parameter.name}}`).join(coded);
        } else if (parameter.in === 'query') {
          texts.forEach((text) => query.append(parameter.name, text));
        } else if (parameter.in === 'header' && texts.length) {
          headers.set(parameter.name, texts[0]);
        }
      }
      addSecret(headers, query, operation);
      const {body: content, type} = body ? body.read() : {};
      if (type) headers.set('Content-Type', type);
      const search = query.toString();
      return {method: method.toUpperCase(), headers, body: content,
        url: baseUrl() + target + (search ? `?${search}` : '')};
    };
    const submit = async (event) => {
      event.preventDefault();
      if (running) running.abort();
      const mine = running = new AbortController();
      send.disabled = true;
      stop.hidden = false;
      answer.replaceChildren(make('span', {class: 'note'}, 'Waiting for an answer…'));
      try {
        const request = requestOf();
        const began = performance.now();
        const got = await fetch(request.url, {method: request.method, headers: request.headers,
          body: request.body, signal: mine.signal});
        await showAnswer(got, request, began, answer);
      } catch (error) {
        const text = error.name === 'AbortError' ? 'Stopped.' : `No answer: ${error.message}`;
        answer.append(make('p', {class: 'must'}, text));
      }
      if (running === mine) {
        send.disabled = false;
        stop.hidden = true;
        running = null;
      }
    };
    stop.addEventListener('click', () => running && running.abort());
    const form = make('form', {class: 'try', onsubmit: submit},
      make('div', {class: 'fields'}, inputs.map((one) => one.field),
        body ? body.fields.filter(Boolean) : []),
      make('div', {class: 'actions'}, send, stop), answer);
    form.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) form.requestSubmit();
    });
    return make('section', {}, make('h3', {}, 'Try it'), form);
  };

  // ---- Operations

  const pathText = (path) => make('span', {class: 'path'}, path.split(/(\{[^}]*\})/).map((part) =>
    part.startsWith('{') ? make('i', {}, part) : part));

  const contentRows = (content) => Object.entries(content || {}).map(([type, one]) =>
    make('div', {class: 'nested'}, make('span', {class: 'rule'}, type),
      wholeSchema(one.schema || {})));

  const answerRow = (status, answer) => {
    const content = Object.entries(answer.content || {});
    const kind = /^2/.test(status) ? 'good' : /^[45]/.test(status) ? 'bad' : '';
    const types = content.map(([type, one]) => `${type}: ${typeText(one.schema || {})}`).join(', ');
    const details = content.some(([, one]) => structIn(one.schema))
      ? make('details', {class: 'nested'}, make('summary', {}, 'Fields')) : null;
    if (details) {
      details.addEventListener('toggle', () => {
        if (details.open && details.children.length === 1) details.append(...contentRows(answer.content));
      });
    }
    return make('div', {class: 'row'},
      make('div', {class: 'line'}, make('span', {class: `status ${kind}`}, status),
        make('span', {}, answer.description), types ? make('span', {class: 'rule'}, types) : null),
      details);
  };

  const fillOperation = (inside, path, method, operation, parameters) => {
    if (operation.description) inside.append(prose(operation.description));
    const schemes = schemesOf(operation);
    if (schemes.length) {
      inside.append(make('p', {class: 'note'}, 'Needs ',
        schemes.flatMap(([name], at) => [at ? ' or ' : '', make('code', {}, name)]), '.'));
    }
    if (parameters.length) {
      inside.append(make('section', {}, make('h3', {}, 'Parameters'),
        make('div', {class: 'rows'}, parameters.map((one) => {
          const made = row(one.name, one.schema || {}, one.required, one.description);
          made.firstChild.insertBefore(make('span', {class: 'flag'}, one.in),
            made.firstChild.children[1]);
          return made;
        }))));
    }
    if (operation.requestBody) {
      const content = operation.requestBody.content || {};
      const types = Object.keys(content);
      inside.append(make('section', {}, make('h3', {}, 'Body', make('small', {}, types.join(', '))),
        types.length ? wholeSchema(content[types[0]].schema || {}) : null));
    }
    inside.append(make('section', {}, make('h3', {}, 'Answers'),
      make('div', {class: 'rows'},
        Object.entries(operation.responses || {}).map(([status, one]) => answerRow(status, one)))));
    if (method !== 'trace') inside.append(trySection(path, method, operation, parameters));
  };

  const operationCard = ({path, method, operation, parameters, id}) => {
    const card = make('details',
      {class: `card ${method}${operation.deprecated ? ' deprecated' : ''}`, id},
      make('summary', {}, make('span', {class: 'badge'}, method.toUpperCase()), pathText(path),
        operation.summary ? make('span', {class: 'what'}, operation.summary) : null,
        operation.deprecated ? make('span', {class: 'flag'}, 'deprecated') : null));
    card.addEventListener('toggle', () => {
      if (!card.open || card.children.length > 1) return;
      const inside = make('div', {class: 'inside'});
      fillOperation(inside, path, method, operation, parameters);
      card.append(inside);
    });
    return card;
  };

  // In the order of the document's tags; what has none comes last.
  const groupsOf = () => {
    const groups = new Map((spec.tags || []).map((tag) => [tag.name, {tag, operations: []}]));
    const rest = {tag: {name: groups.size ? 'Other' : 'Operations'}, operations: []};
    for (const [path, item] of Object.entries(spec.paths || {})) {
      for (const method of METHODS) {
        const operation = item[method];
        if (!operation) continue;
        const entry = {path, method, operation,
          id: `operation-${operation.operationId || method + path}`,
          parameters: [...(item.parameters || []), ...(operation.parameters || [])].map(resolve)};
        const tags = (operation.tags || []).filter((tag) => groups.has(tag));
        if (tags.length) groups.get(tags[0]).operations.push(entry);
        else rest.operations.push(entry);
      }
    }
    return [...groups.values(), rest].filter((group) => group.operations.length);
  };

  const showOperations = () => {
    const shown = [];
    for (const group of groupsOf()) {
      const links = make('div', {}, make('h2', {}, group.tag.name));
      const section = make('section', {class: 'group'}, make('h2', {}, group.tag.name),
        group.tag.description ? prose(group.tag.description, 'note') : null);
      for (const entry of group.operations) {
        const card = operationCard(entry);
        const link = make('a', {href: `#${entry.id}`,
          class: `${entry.method}${entry.operation.deprecated ? ' deprecated' : ''}`},
          make('span', {class: 'verb'}, entry.method === 'delete' ? 'DEL' : entry.method.toUpperCase()),
          make('span', {class: 'where'}, entry.operation.summary || entry.path));
        links.append(link);
        section.append(card);
        const words = [entry.method, entry.path, entry.operation.summary, entry.id, group.tag.name];
        shown.push({text: words.join(' ').toLowerCase(), card, link, section, links});
      }
      byId('index').append(links);
      byId('operations').append(section);
    }
    byId('filter').addEventListener('input', () => {
      const words = byId('filter').value.toLowerCase().split(/\s+/).filter(Boolean);
      const full = new Set();
      let count = 0;
      for (const one of shown) {
        const fits = words.every((word) => one.text.includes(word));
        one.card.hidden = one.link.hidden = !fits;
        if (fits) full.add(one.section), ++count;
      }
      for (const one of shown) one.section.hidden = one.links.hidden = !full.has(one.section);
      byId('state').hidden = count > 0;
      byId('state').textContent = 'No operation fits the filter.';
    });
    return shown.length;
  };

  const showAccess = () => {
    const schemes = Object.entries((spec.components || {}).securitySchemes || {})
      .filter(([, one]) => !(one.type === 'apiKey' && one.in === 'cookie'));
    if (!schemes.length) return;
    const fields = schemes.map(([name, scheme]) => {
      const id = `input-${++lastId}`;
      const hint = scheme.scheme === 'basic' ? 'name:password'
        : scheme.type === 'apiKey' ? `${scheme.in} ${scheme.name}` : scheme.bearerFormat || 'token';
      const control = make('input', {id, type: 'password', autocomplete: 'off', placeholder: hint,
        oninput: () => secrets.set(name, control.value)});
      // A form for each: a browser's store of passwords takes those of one form for one login.
      return make('form', {class: 'field', onsubmit: (event) => event.preventDefault()},
        make('label', {for: id}, make('span', {class: 'name'}, name),
          scheme.description ? make('span', {class: 'hint'}, scheme.description) : null), control);
    });
    byId('access').append(
      make('summary', {}, make('span', {class: 'heading'}, 'Access'),
        make('span', {class: 'what'}, 'for the requests that you try')),
      make('div', {class: 'inside'},
        make('p', {class: 'note'}, 'Goes with the requests that need it, and is kept nowhere.'),
        make('div', {class: 'fields'}, fields)));
    byId('access').hidden = false;
  };

  const showSchemas = () => {
    const schemas = Object.entries((spec.components || {}).schemas || {});
    if (!schemas.length) return;
    const section = byId('schemas');
    section.className = 'group';
    section.append(make('h2', {id: 'schemas-title'}, 'Schemas'));
    for (const [name, schema] of schemas) {
      const card = make('details', {class: 'card', id: `schema-${name}`},
        make('summary', {}, make('span', {class: 'path'}, name),
          schema.description ? make('span', {class: 'what'}, schema.description) : null));
      card.addEventListener('toggle', () => {
        if (!card.open || card.children.length > 1) return;
        card.append(make('div', {class: 'inside'}, make('section', {}, structRows(schema))));
      });
      section.append(card);
    }
    section.hidden = false;
  };

  const openChosen = () => {
    let chosen = null;
    try {
      chosen = byId(decodeURIComponent(location.hash.slice(1)));
    } catch {
      return;  // no name of anything
    }
    if (!chosen || !chosen.classList.contains('card')) return;
    chosen.open = true;
    chosen.scrollIntoView();
    chosen.querySelector('summary').focus({preventScroll: true});
  };

  const show = async () => {
    const state = byId('state');
    try {
      const answer = await fetch(documentUrl, {headers: {Accept: 'application/json'}});
      if (!answer.ok) throw new Error(`the answer is ${answer.status} ${answer.statusText}`);
      spec = await answer.json();
    } catch (error) {
      state.textContent = `The document cannot be read: ${error.message}`;
      state.classList.add('bad');
      return;
    }
    const info = spec.info || {};
    byId('title').textContent = document.title = info.title || document.title;
    byId('version').textContent = info.version || '';
    byId('about').append(...prose(info.description).children);
    showAccess();
    const count = showOperations();
    showSchemas();
    state.hidden = count > 0;
    state.textContent = 'The document has no operations.';
    openChosen();
    addEventListener('hashchange', openChosen);
  };
  show();
})();
