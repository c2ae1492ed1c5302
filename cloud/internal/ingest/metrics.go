package ingest

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	facts *prometheus.CounterVec
	stale prometheus.Counter
}

func newMetrics(r prometheus.Registerer) metrics {
	m := metrics{
		facts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hall_cloud_facts_total",
			Help: "Facts received from halls, by what became of them.",
		}, []string{"result"}),
		stale: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hall_cloud_epoch_stale_total",
			Help: "Answers that told a hall to open a new epoch.",
		}),
	}
	r.MustRegister(m.facts, m.stale)
	return m
}
