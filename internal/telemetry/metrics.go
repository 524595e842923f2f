// Package telemetry holds the numbers that an operator watches: Prometheus series, all named errand_….
package telemetry

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are the series of one server.
type Metrics struct {
	registry *prometheus.Registry

	Calls       *prometheus.CounterVec   // by dialect, action and vendor error code
	CallSeconds *prometheus.HistogramVec // by dialect and action
	Delivered   prometheus.Counter       // Run messages handed to the bus, repeats included
	Reports     *prometheus.CounterVec   // messages from nodes, by kind
	Dropped     prometheus.Counter       // messages from nodes that found no room; nodes repeat them
	Batch       prometheus.Histogram     // reports committed together
	Commit      prometheus.Histogram     // seconds to commit a batch
	Ended       *prometheus.CounterVec   // tasks that ended, by state
	Removed     prometheus.Counter       // invocations that were too old to keep
	Webhooks    *prometheus.CounterVec   // events for subscribers, by outcome
	Uploads     *prometheus.CounterVec   // tries to deliver output to the object store, by outcome
}

// NewMetrics makes the series. gauges are read at each scrape.
func NewMetrics(gauges map[string]Gauge) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		Calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "errand_api_calls_total", Help: "API calls answered, by dialect, action and error code (empty on success).",
		}, []string{"dialect", "action", "code"}),
		CallSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "errand_api_call_seconds", Help: "Time to answer an API call.", Buckets: prometheus.ExponentialBuckets(0.0005, 2, 15),
		}, []string{"dialect", "action"}),
		Delivered: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "errand_tasks_delivered_total", Help: "Tasks handed to the bus, repeats included.",
		}),
		Reports: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "errand_node_messages_total", Help: "Messages received from nodes, by kind.",
		}, []string{"kind"}),
		Dropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "errand_node_messages_dropped_total", Help: "Messages from nodes for which there was no room; nodes repeat them.",
		}),
		Batch: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "errand_report_batch_size", Help: "Reports committed in one transaction.", Buckets: prometheus.ExponentialBuckets(1, 2, 12),
		}),
		Commit: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "errand_report_commit_seconds", Help: "Time to commit a batch of reports.", Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}),
		Ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "errand_tasks_ended_total", Help: "Tasks that ended, by state.",
		}, []string{"state"}),
		Removed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "errand_invocations_removed_total", Help: "Invocations removed because of their age or number.",
		}),
		Webhooks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "errand_webhook_events_total", Help: "Events for subscribers, by outcome: delivered, failed (each try), dead (given up).",
		}, []string{"outcome"}),
		Uploads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "errand_output_uploads_total",
			Help: "Tries to deliver the output of a task to the object store, by outcome: finished, repeated (another follows), failed (given up).",
		}, []string{"outcome"}),
	}
	m.registry.MustRegister(m.Calls, m.CallSeconds, m.Delivered, m.Reports, m.Dropped, m.Batch, m.Commit, m.Ended, m.Removed, m.Webhooks, m.Uploads,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{Namespace: "errand"}))
	for name, g := range gauges {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: g.Help}, g.Read))
	}
	return m
}

// Gauge is a number read when somebody looks.
type Gauge struct {
	Help string
	Read func() float64
}

// Handler serves the series.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
