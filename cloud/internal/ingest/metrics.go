package ingest

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	facts *prometheus.CounterVec
	stale prometheus.Counter
	// faults of chains
	faults   *prometheus.CounterVec
	rebuilds prometheus.Counter
	epochs   prometheus.Counter // that were not begun
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
	m.faults = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "hall_cloud_chain_faults_total",
		Help: "What was wrong with the chains of halls' logs, by its name.",
	}, []string{"fault"})
	m.rebuilds = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "hall_cloud_rebuilds_total",
		Help: "Times that the projections of a hall were made again, since a key had come late or facts had gone.",
	})
	m.epochs = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "hall_cloud_epochs_refused_total",
		Help: "Messages of halls that have begun too many epochs within a day, and would have begun another one.",
	})
	r.MustRegister(m.facts, m.stale, m.faults, m.rebuilds, m.epochs)
	return m
}
