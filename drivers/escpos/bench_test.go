package escpos

import (
	"context"
	"log/slog"
	"testing"

	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/internal/transport"
	"halledge/drivers/registry"
)

// ticket is the slip of a hall, without a logo.
func ticket() device.PrintJob {
	return device.PrintJob{ID: "20260305000023-0", Cut: true, Lines: []device.Line{
		{Text: "示例市政务服务大厅", Align: device.Center, Bold: true}, {Rule: true},
		{Text: "A023", Align: device.Center, Size: 6, Bold: true}, {Text: "综合受理", Align: device.Center, Size: 2}, {Rule: true},
		{Text: "办理窗口：1、2、A12", Size: 2}, {Text: "前面等候：7 人", Size: 2}, {Text: "预计等候：10–25 分钟"},
		{Text: "取号时间：2026-03-05 09:30:00"}, {Text: "过号不作废：请到导办台或取号机扫本票重排。"}, {Feed: 1},
		{QR: "https://hall.example.cn/t/0123456789abcdef0123456789abcdef", QRDot: 6, Align: device.Center}, {Feed: 1},
		{Text: "扫码看排队进度，办完可评价", Align: device.Center}, {Text: "流水号 20260305000023", Align: device.Center}}}
}

// BenchmarkSend makes the bytes of a slip, asks the printer, sends them and waits for the answer that the slip is out. The line is a
// pseudo-terminal, which has no speed.
func BenchmarkSend(b *testing.B) {
	line := drivertest.Cable(b, (&printer{}).serve)
	d, err := New(registry.Config{
		Name: "kiosk-1.printer", Connect: registry.Connect{Serial: line.Path()}, Options: options("status", "barrier", "poll", "1m"),
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	drivertest.Run(b, d)
	drivertest.Reaches(b, d, device.OK, "")
	b.ReportAllocs()
	for b.Loop() {
		if err := d.(device.Printer).Print(context.Background(), ticket()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSendLimit is what this machine itself takes for that: the same bytes to the same printer on the same kind of line, and its
// answer. What BenchmarkSend takes more is the driver's.
func BenchmarkSendLimit(b *testing.B) {
	d, err := New(registry.Config{Name: "kiosk-1.printer", Options: options()})
	if err != nil {
		b.Fatal(err)
	}
	job, err := d.(*Printer).setter.set(ticket())
	if err != nil {
		b.Fatal(err)
	}
	job = append(job, barrier()...)
	line := drivertest.Cable(b, (&printer{}).serve)
	conn, err := transport.Open(b.Context(), transport.Spec{Serial: line.Path()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	answer := make([]byte, 1)
	b.SetBytes(int64(len(job)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := conn.Write(job); err != nil {
			b.Fatal(err)
		}
		if _, err := conn.Read(answer); err != nil {
			b.Fatal(err)
		}
	}
}
