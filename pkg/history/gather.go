package history

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	dto "github.com/prometheus/client_model/go"
)

// reading is the value of one series now.
type reading struct {
	kind   kind
	metric string
	labels []label
	value  float64
}

// gather reads the metrics that are remembered, summed over the labels that are not kept.
func (h *History) gather() (map[string]*reading, error) {
	families, err := h.cfg.Gatherer.Gather() // with an error, what could be read
	byName := make(map[string]*dto.MetricFamily, len(families))
	for _, f := range families {
		byName[f.GetName()] = f
	}
	out := map[string]*reading{}
	for _, m := range h.cfg.Metrics {
		f := byName[m.Name]
		for _, one := range f.GetMetric() {
			h.readOne(m, f.GetType(), one, out)
		}
	}
	return out, err
}

func (h *History) readOne(m Metric, of dto.MetricType, one *dto.Metric, out map[string]*reading) {
	labels := h.bound(m, keptLabels(m, one))
	switch of {
	case dto.MetricType_COUNTER:
		add(out, reading{kindCounter, m.Name, labels, one.GetCounter().GetValue()})
	case dto.MetricType_GAUGE:
		add(out, reading{kindGauge, m.Name, labels, one.GetGauge().GetValue()})
	case dto.MetricType_UNTYPED:
		add(out, reading{kindGauge, m.Name, labels, one.GetUntyped().GetValue()})
	case dto.MetricType_HISTOGRAM:
		hist := one.GetHistogram()
		bucket := func(le string, count uint64) {
			add(out, reading{kindCounter, m.Name, append(slices.Clip(labels), label{LabelLE, le}), float64(count)})
		}
		for _, b := range hist.GetBucket() {
			bucket(strconv.FormatFloat(b.GetUpperBound(), 'g', -1, 64), b.GetCumulativeCount())
		}
		bucket(LabelInf, hist.GetSampleCount())
	}
}

// The label of a bucket of a histogram, and its value for the last one, which counts everything.
const (
	LabelLE  = "le"
	LabelInf = "+Inf"
)

func add(out map[string]*reading, r reading) {
	key := keyOf(r.metric, r.labels)
	if have := out[key]; have != nil {
		have.value += r.value
		return
	}
	out[key] = &r
}

// keptLabels returns those of Metric.By, in its order.
func keptLabels(m Metric, one *dto.Metric) []label {
	out := make([]label, len(m.By))
	for i, name := range m.By {
		out[i].name = name
		for _, l := range one.GetLabel() {
			if l.GetName() == name {
				// The file has room for so much.
				out[i].value = strings.ToValidUTF8(l.GetValue()[:min(len(l.GetValue()), labelValueMax)], "")
			}
		}
	}
	return out
}

// bound returns the label set, or the one that is shared by all that come after SetsMax.
func (h *History) bound(m Metric, labels []label) []label {
	if len(labels) == 0 {
		return labels
	}
	key := m.Name + keyOf("", labels)
	h.mu.Lock()
	defer h.mu.Unlock()
	most := m.SetsMax
	if most == 0 {
		most = setsMaxDefault
	}
	if h.known[key] {
		return labels
	}
	if h.sets[m.Name] < most {
		h.sets[m.Name]++
		h.known[key] = true
		return labels
	}
	rest := slices.Clone(labels)
	for i := range rest {
		rest[i].value = restLabel
	}
	return rest
}

func sortedKeys(m map[string]*reading) []string {
	return slices.SortedFunc(maps.Keys(m), strings.Compare)
}
