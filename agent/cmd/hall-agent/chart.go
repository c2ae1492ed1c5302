package main

import (
	"bytes"
	"fmt"
	"strconv"

	"halledge/agent/internal/queue/rerun"
)

// Measures of a chart, in pixels.
const (
	chartLeft   = 130 // for the names
	chartBars   = 600
	chartTop    = 84
	barHigh     = 14
	barGap      = 3
	classGap    = 22
	chartFamily = `"Noto Sans CJK SC","Source Han Sans SC","Microsoft YaHei",sans-serif`
)

// bar is a wait of the chart: how it is called, and where it is in the figures.
type bar struct {
	name string
	of   func(rerun.Figures) int64
}

func chartBarsOf() []bar {
	return []bar{
		{"中位", func(f rerun.Figures) int64 { return f.MedianS }},
		{"八成", func(f rerun.Figures) int64 { return f.P80S }},
		{"最久", func(f rerun.Figures) int64 { return f.LongestS }},
	}
}

// drawChart draws the median, the 80th percentile and the longest wait of each class, by the order in force and by the other one, as SVG.
func drawChart(r *rerun.Report) []byte {
	groups := append([]rerun.Group{r.All}, r.Classes...)
	longest := int64(60)
	for _, g := range groups {
		longest = max(longest, g.Before.LongestS, g.After.LongestS)
	}
	step := chartStep(longest)
	most := (longest + step - 1) / step * step
	perClass := len(chartBarsOf())*2*(barHigh+barGap) + classGap
	high := chartTop + len(groups)*perClass + 30
	x := func(s int64) float64 { return chartLeft + chartBars*float64(s)/float64(most) }
	var b bytes.Buffer
	text := func(x float64, y, size int, anchor, fill, s string) {
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" font-size="%d" text-anchor="%s" fill="%s">%s</text>`+"\n", x, y, size, anchor, fill, s)
	}
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family='%s'>`+"\n",
		chartLeft+chartBars+90, high, chartLeft+chartBars+90, high, chartFamily)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="#ffffff"/>`+"\n")
	text(20, 32, 20, "start", "#16324f", r.Day+" 等候时间（分钟）")
	for i, legend := range []struct{ fill, name string }{{"#8fa3b8", "现行规则"}, {"#1659b5", "新规则"}} {
		at := 20 + 120*i
		fmt.Fprintf(&b, `<rect x="%d" y="48" width="14" height="14" fill="%s"/>`+"\n", at, legend.fill)
		text(float64(at+20), 60, 14, "start", "#33475b", legend.name)
	}
	for s := int64(0); s <= most; s += step {
		fmt.Fprintf(&b, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#dfe6ee"/>`+"\n", x(s), chartTop-6, x(s), high-26)
		text(x(s), high-8, 13, "middle", "#56677e", strconv.FormatInt(s/60, 10))
	}
	y := chartTop
	for _, g := range groups {
		text(20, y+barHigh, 15, "start", "#16324f", className(g.Class))
		text(20, y+barHigh+20, 13, "start", "#56677e", strconv.Itoa(g.After.People)+" 人")
		for _, k := range chartBarsOf() {
			text(chartLeft-8, y+barHigh+barGap+2, 12, "end", "#56677e", k.name)
			for i, s := range []int64{k.of(g.Before), k.of(g.After)} {
				fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`+"\n", chartLeft, y, max(1, x(s)-chartLeft), barHigh, []string{"#8fa3b8", "#1659b5"}[i])
				text(x(s)+6, y+barHigh-3, 12, "start", "#33475b", inMinutes(s))
				y += barHigh + barGap
			}
		}
		y += classGap
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// chartStep gives the seconds between two lines of a chart: at most twelve of them.
func chartStep(longest int64) int64 {
	for _, minutes := range []int64{1, 2, 5, 10, 20, 30, 60} {
		if longest <= minutes*60*12 {
			return minutes * 60
		}
	}
	return (longest/12/3600 + 1) * 3600
}
