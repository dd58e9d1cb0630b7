import './.config/jest-setup';
import { configure } from '@testing-library/react';

// Grafana's translation library advertises itself here once per file.
console.info = () => {};

// Matching the rules of every widget to every element takes most of a test's time and tells it nothing: only an element's own
// style counts, and nothing is hidden by a rule.
window.getComputedStyle = (element) => element.style;
configure({ defaultHidden: true, asyncUtilTimeout: 10_000 });

// jsdom lays nothing out. Grafana's widgets measure, and draw a list only where there is room: everything is this large.
const WIDTH = 800;
const HEIGHT = 400;
const rectangle = { x: 0, y: 0, top: 0, left: 0, width: WIDTH, height: HEIGHT, right: WIDTH, bottom: HEIGHT };

Object.defineProperties(Element.prototype, { clientWidth: { get: () => WIDTH }, clientHeight: { get: () => HEIGHT } });
Object.defineProperties(HTMLElement.prototype, {
  offsetWidth: { get: () => WIDTH },
  offsetHeight: { get: () => HEIGHT },
});
Element.prototype.getBoundingClientRect = () => rectangle;
HTMLCanvasElement.prototype.getContext = () => ({ measureText: (text) => ({ width: 8 * text.length }) });

global.ResizeObserver = class {
  constructor(callback) {
    this.callback = callback;
  }
  observe(target) {
    // What holds no text, such as an icon, takes no room from what does.
    this.callback([{ target, contentRect: { ...rectangle, width: target.textContent ? WIDTH : 0 } }], this);
  }
  unobserve() {}
  disconnect() {}
};
global.IntersectionObserver = class {
  observe() {}
  unobserve() {}
  disconnect() {}
};
// React 19 schedules with it; Node's own would keep the test process alive.
global.MessageChannel ??= class {
  port1 = { onmessage: () => {} };
  port2 = { postMessage: (data) => setTimeout(() => this.port1.onmessage({ data })) };
};
