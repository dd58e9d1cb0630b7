/** The examples of the help, over a selector that matches something. */

export interface Example {
  title: string;
  expr: string;
}

export interface ExampleGroup {
  title: string;
  examples: Example[];
}

export function exampleGroups(selector: string): ExampleGroup[] {
  return [
    {
      title: 'Find',
      examples: [
        { title: 'All lines of some streams', expr: selector },
        { title: 'Lines that contain a text', expr: `${selector} |= "error"` },
        { title: 'One text or another, whatever the case', expr: `${selector} |~ "(?i)timeout|refused"` },
        { title: 'Lines without a text', expr: `${selector} != "GET /health"` },
      ],
    },
    {
      title: 'Filter',
      examples: [
        {
          title: 'Errors and warnings, by the level that was found in the line',
          expr: `${selector} | detected_level=~"error|warn"`,
        },
        { title: 'A field that is a number', expr: `${selector} | json | status >= 500` },
        { title: 'A field that is a duration', expr: `${selector} | logfmt | duration > 1s` },
        { title: 'Addresses of a network', expr: `${selector} |= ip("10.0.0.0/8")` },
      ],
    },
    {
      title: 'Parse',
      examples: [
        { title: 'Fields of JSON lines', expr: `${selector} | json` },
        { title: 'Fields of key=value lines', expr: `${selector} | logfmt` },
        { title: 'Pieces of lines of one shape', expr: `${selector} | pattern "<ip> - <_> <path>"` },
        { title: 'Show only what matters', expr: `${selector} | logfmt | line_format "{{.level | upper}} {{.msg}}"` },
      ],
    },
    {
      title: 'Count',
      examples: [
        { title: 'Lines per second, by level', expr: `sum by (detected_level) (rate(${selector} [$__auto]))` },
        { title: 'Errors in each step', expr: `sum(count_over_time(${selector} |= "error" [$__auto]))` },
        {
          title: 'How slow are the slowest of a hundred',
          expr: `quantile_over_time(0.99, ${selector} | logfmt | unwrap duration_seconds(duration) | __error__="" [$__auto]) by ()`,
        },
        { title: 'Bytes in each step', expr: `sum(bytes_over_time(${selector} [$__auto]))` },
      ],
    },
    {
      title: 'Only in Woodshed',
      examples: [
        { title: 'One line for each level', expr: `${selector} | distinct detected_level` },
        {
          title: 'The exact top ten, not an estimate',
          expr: `approx_topk(10, sum by (detected_level) (rate(${selector} [$__auto])))`,
        },
      ],
    },
  ];
}

/** The label that people most likely choose streams by. */
export function likelyLabel(names: readonly string[]): string | undefined {
  return LIKELY.find((name) => names.includes(name)) ?? names[0];
}

const LIKELY = ['service_name', 'app', 'container', 'job', 'namespace'];
