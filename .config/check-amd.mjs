// Loads the built dist/module.js the way Grafana does, as an AMD module, and lets it have only what Grafana 12.2.0 shares.
// A module that is asked for and not shared there would keep the whole plugin from loading.
import { readFileSync } from 'node:fs';
import vm from 'node:vm';

// The names under which Grafana 12.2.0 shares modules with plugins:
// https://github.com/grafana/grafana/blob/v12.2.0/public/app/features/plugins/loader/sharedDependencies.ts
// react/jsx-runtime came with 12.2.5 and must not be used.
const SHARED = new Set([
  '@emotion/css',
  '@emotion/react',
  '@grafana/data',
  '@grafana/data/unstable',
  '@grafana/runtime',
  '@grafana/runtime/unstable',
  '@grafana/slate-react',
  '@grafana/ui',
  '@grafana/ui/unstable',
  '@kusto/monaco-kusto',
  'd3',
  'emotion',
  'i18next',
  'jquery',
  'lodash',
  'moment',
  'prismjs',
  'react',
  'react-dom',
  'react-inlinesvg',
  'react-redux',
  'react-router',
  'react-router-dom',
  'redux',
  'rxjs',
  'rxjs/operators',
  'slate',
  'slate-plain-serializer',
  'slate-react',
  'module', // The AMD loader's own: where the file came from.
]);

const FILE = 'dist/module.js';

/** Stands for any shared module: everything in it can be called, constructed, extended and read. */
function standIn(name) {
  return new Proxy(class {}, {
    get: (target, key) =>
      key === 'prototype'
        ? target.prototype
        : key === Symbol.toPrimitive
          ? () => name
          : standIn(`${name}.${String(key)}`),
    apply: () => standIn(`${name}()`),
    construct: () => standIn(`new ${name}`),
  });
}

function fail(message) {
  console.error(`${FILE}: ${message}`);
  process.exit(1);
}

const code = readFileSync(FILE, 'utf8');
if (code.includes('jsx-runtime')) {
  fail('mentions react/jsx-runtime, which Grafana 12.2.0 does not share');
}

let definition;
const define = (...args) => {
  definition = { dependencies: args.find(Array.isArray) ?? [], factory: args[args.length - 1] };
};
define.amd = {};
// Chunks that are loaded later hang themselves onto the page's global object.
const page = { define, console, URL, setTimeout, clearTimeout };
vm.runInNewContext(code, { ...page, self: page }, { filename: FILE });

if (!definition) {
  fail('does not call define(): it is no AMD module');
}
const missing = definition.dependencies.filter((name) => !SHARED.has(name));
if (missing.length > 0) {
  fail(`asks for ${missing.join(', ')}, which Grafana 12.2.0 does not share`);
}
const amdModule = { uri: `public/plugins/woodshed-logs-datasource/module.js` };
const exported = definition.factory(
  ...definition.dependencies.map((name) => (name === 'module' ? amdModule : standIn(name)))
);
if (!exported?.plugin) {
  fail('does not export "plugin"');
}
console.log(`${FILE}: loads with ${definition.dependencies.join(', ')}; exports ${Object.keys(exported).join(', ')}`);
