package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"halledge/agent/internal/config"
	"halledge/agent/internal/hall"
	"halledge/agent/internal/ops"
	"halledge/agent/internal/queue"
	"halledge/agent/internal/queue/rerun"
	"halledge/agent/internal/store"
	"halledge/agent/kit/command"
	"halledge/agent/kit/problem"
	"halledge/firmware-protocols/hallsync"
)

// The problems of playing a day again.
const (
	codeRerunDay    problem.Code = "rerun_day"    // day
	codeRerunChange problem.Code = "rerun_change" // field
	codeRerunChart  problem.Code = "rerun_chart"  // file
)

func rerunCommand(path *string) *cobra.Command {
	var day, weights, maxWait, priorityRun, chart string
	cmd := &cobra.Command{
		Use: "rerun", Short: "回放：换一套叫号规则，把某一天重走一遍（先停服务）", Args: command.Args(cobra.NoArgs),
		Example: "  hall-agent rerun --day 2026-11-23 --weights elder=200,priority=300 --max-wait 20 --chart rerun.svg",
		RunE: func(cmd *cobra.Command, _ []string) error {
			change, err := rerun.ParseChange(weights, maxWait, priorityRun)
			var wrong *rerun.FieldError
			if errors.As(err, &wrong) {
				return command.BadUsage(&ops.Error{Code: codeRerunChange, Args: map[string]string{"field": wrong.Field}, Err: err})
			}
			var report *rerun.Report
			var plan *queue.Plan
			err = withPlan(cmd, *path, func(s *store.Store, p *queue.Plan) error {
				plan = p
				d, _, err := rerun.Load(cmd.Context(), s.InClear(), p, day)
				if err == nil {
					report, err = rerun.Compare(cmd.Context(), d, p, change)
				}
				return err
			})
			var none *rerun.NoDayError
			if errors.As(err, &none) {
				return &ops.Error{Code: codeRerunDay, Args: map[string]string{"day": none.Day}, Err: err}
			}
			if err == nil {
				err = printReport(cmd.OutOrStdout(), report, plan)
			}
			if err != nil || chart == "" {
				return err
			}
			if err := os.WriteFile(chart, drawChart(report), 0o644); err != nil {
				return &ops.Error{Code: codeRerunChart, Args: map[string]string{"file": chart}, Err: err}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&day, "day", "", "哪一天，例如 2026-11-23；不写就是记录里最近的一天")
	cmd.Flags().StringVar(&weights, "weights", "", "各类的权重（百分比），例如 elder=200,priority=300；没写的照旧")
	cmd.Flags().StringVar(&maxWait, "max-wait", "", "等了多少分钟就先叫；0 不设；不写照旧")
	cmd.Flags().StringVar(&priorityRun, "priority-run", "", "优先号最多连叫几个；0 不限；不写照旧")
	cmd.Flags().StringVar(&chart, "chart", "", "把图写进这个文件（SVG）")
	return cmd
}

// withPlan opens the log, and finds the plan that the hall works by: hall.yaml, or what its manager made of it since.
func withPlan(cmd *cobra.Command, path string, do func(*store.Store, *queue.Plan) error) error {
	return withJournal(cmd, path, func(s *store.Store) error {
		cfg, err := load(cmd, path)
		if err != nil {
			return err
		}
		plan, err := hall.PlanOf(&cfg.Plan)
		if err != nil {
			return err
		}
		edited, err := editedPlan(s, plan)
		if err != nil {
			return err
		}
		if edited.Revision > cfg.Plan.Revision {
			if plan, err = planOf(cfg, edited); err != nil {
				return err
			}
		}
		return do(s, plan)
	})
}

// editedPlan gives what the hall's manager wrote last.
func editedPlan(s *store.Store, plan *queue.Plan) (hallsync.PlanEdited, error) {
	state := queue.New(plan)
	err := s.Load(
		func(snapshot []byte) (err error) {
			state, err = queue.Restore(plan, snapshot)
			return err
		},
		func(e hallsync.Event, p hallsync.Payload) error {
			state.Apply(p, e.At)
			return nil
		})
	return state.Edited(), err
}

func planOf(cfg *config.Config, e hallsync.PlanEdited) (*queue.Plan, error) {
	next, problems := cfg.WithPlan("hall.yaml", []byte(e.Text))
	if err := problems.Err(); err != nil {
		return nil, fmt.Errorf("edited plan: %w", err)
	}
	return hall.PlanOf(&next.Plan)
}

// className is what people call a class; empty: everybody.
func className(c hallsync.Class) string {
	switch c {
	case "":
		return "全部"
	case hallsync.Normal:
		return "普通"
	case hallsync.Appointment:
		return "预约"
	case hallsync.Elder:
		return "老幼残孕"
	case hallsync.Priority:
		return "依法优先"
	}
	return string(c)
}

// printReport writes the tables of a report.
func printReport(w io.Writer, r *rerun.Report, plan *queue.Plan) error {
	fmt.Fprintf(w, "%s　每格：实际 / 照现行规则回放 / 照新规则回放；等候以分钟计\n", r.Day)
	for _, gone := range r.Gone {
		fmt.Fprintf(w, "注意：%s 号窗口现在的设置里没有，回放里没有人在那里叫号\n", gone)
	}
	names := map[hallsync.QueueID]string{"": "全部业务"}
	for _, q := range plan.Queues {
		names[q.ID] = q.Name
	}
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "业务\t类别\t人数\t等候中位\t八成以内\t最久\t超时\t没叫到")
	line := func(g rerun.Group) {
		name := names[g.Queue]
		if name == "" {
			name = string(g.Queue)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", name, className(g.Class),
			three(g, func(f rerun.Figures) string { return strconv.Itoa(f.People) }),
			three(g, func(f rerun.Figures) string { return inMinutes(f.MedianS) }), three(g, func(f rerun.Figures) string { return inMinutes(f.P80S) }),
			three(g, func(f rerun.Figures) string { return inMinutes(f.LongestS) }), three(g, func(f rerun.Figures) string { return strconv.Itoa(f.Starved) }),
			three(g, func(f rerun.Figures) string { return strconv.Itoa(f.Left) }))
	}
	line(r.All)
	for _, g := range r.Classes {
		line(g)
	}
	for _, g := range r.Groups {
		line(g)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(t, "\n窗口\t有人等却空着")
	for _, i := range r.Windows {
		fmt.Fprintf(t, "%s\t%s / %s / %s\n", i.Window, inMinutes(i.Recorded), inMinutes(i.Before), inMinutes(i.After))
	}
	return t.Flush()
}

// three writes a figure of the three courses of a day.
func three(g rerun.Group, say func(rerun.Figures) string) string {
	return say(g.Recorded) + " / " + say(g.Before) + " / " + say(g.After)
}

// inMinutes gives seconds as minutes with one decimal.
func inMinutes(s int64) string { return strconv.FormatFloat(float64(s)/60, 'f', 1, 64) }
