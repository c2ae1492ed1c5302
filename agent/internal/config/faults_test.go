package config_test

import (
	"strings"

	"halledge/agent/internal/config"
	"halledge/agent/kit/strictyaml"
)

// What a remote resolver needs.
const (
	remote = "resolver: remote\n"
	url    = "  url: https://codes.example.cn/\n"
	key    = "  key: file:secrets/codes.key\n"
	peer   = "  peer: MFkwEwYHKoZIzj0CAQYIKoEcz1UBgi0DQgAExwdHfeY2kYNvl26L8tAUJusm1D7EN7w/bUYu3mP8TgiouxjJVt++lP+X7EP04nFIlA4N5fmzTRMPJf2/gbTxpg==\n"
)

// identity and windows follow each other in the plan.
const (
	identity = "    identity: optional\n"
	windows  = "\nwindows:                         # 窗口和它办的队列\n" +
		"  - id: \"1\"                      # 窗口号，群众看到和听到的就是它\n    name: 1号综合窗口             # 不写就是“1号窗口”\n    queues: [A]\n"
)

// padLine is the line of the sample's call pad.
const padLine = "\"/dev/serial/by-path/pci-0000:00:14.0-usb-0:5:1.0-port0\""

// faults are single mistakes in the samples: in file, old becomes text; the problem must have the code and the path, and
// point to a line that holds line.
var faults = []struct {
	file, old, text string
	code            strictyaml.Code
	path, line      string
}{
	{"hall.yaml", "elder: 150", "elder: 5", strictyaml.OutOfRange, "$.rules.order.weights.elder", "elder: 5"},
	{"hall.yaml", "elder: 150", "pensioner: 150", strictyaml.UnknownKey, "$.rules.order.weights.pensioner", "pensioner"},
	{"hall.yaml", "mon-fri 08:30-12:00", "mon-fri 8:30-12:00", config.Hours, "$.queues[0].admission.hours[0]", "8:30"},
	{"hall.yaml", "\"2026-10-01\"", "\"10-01\"", config.Date, "$.rules.calendar.holidays[0]", "10-01"},
	{"hall.yaml", "late_min: 15                 # 时段", "late_min: -1  # 时段", strictyaml.OutOfRange, "$.rules.admission.late_min", "-1"},
	{"hall.yaml", "admission:                     # 取号的规矩", "admission:\n    quota: 1  # 取号的规矩", strictyaml.UnknownKey, "$.rules.admission.quota", "quota"},
	{"hall.yaml", "max_wait_min: 30", "max_wait_min: -1", strictyaml.OutOfRange, "$.rules.order.max_wait_min", "-1"},
	{"hall.yaml", "name: 社会保险", "name: \"社会\\t保险\"", config.Characters, "$.queues[1].name", "社会"},
	{"hall.yaml", identity + windows, identity + "  - {id: AR, name: 其他}\n" + strings.Replace(windows, "[A]", "[A, AR]", 1), config.QueueRoll, "$.queues[2].id", "AR"},
	{"agent.yaml", "schema: 1", "schema: 2", config.SchemaNew, "$.schema", "schema: 2"},
	{"agent.yaml", "schema: 1", "schema: 0", config.SchemaNew, "$.schema", "schema: 0"},
	{"agent.yaml", "schema: 1 ", "# none", strictyaml.Missing, "$.schema", "hall:"},
	{"agent.yaml", "code: 440900000000001 ", "code: 44090000001", config.HallCode, "$.hall.code", "44090000001"},
	{"agent.yaml", "name: 示例市政务服务大厅", "name: ''", strictyaml.Missing, "$.hall.name", "name: ''"},
	{"agent.yaml", "name: 示例市政务服务大厅", "# no name", strictyaml.Missing, "$.hall.name", "code:"},
	{"agent.yaml", "profile: full", "profile: big", strictyaml.NotAllowed, "$.hall.profile", "big"},
	{"agent.yaml", "listen: \":8080\"", "listen: 8080", config.Address, "$.web.listen", "8080"},
	{"agent.yaml", "listen: \":8080\"", "listen: a:99999", config.Address, "$.web.listen", "99999"},
	{"agent.yaml", "profile: full ", "logo: gone.png\n  profile: full ", config.Unreadable, "$.hall.logo", "gone.png"},
	{"agent.yaml", "tls: auto", "tls: maybe", strictyaml.NotAllowed, "$.web.tls", "maybe"},
	{"agent.yaml", "tls: auto", "tls: off", config.WebLoopback, "$.web.tls", "tls: off"},
	{"agent.yaml", "hosts: [hall.example.cn]", "hosts: ['http://x']", config.Address, "$.web.hosts[0]", "http://x"},
	{"agent.yaml", "public: https://hall", "public: ftp://hall", config.WebAddress, "$.web.public", "ftp"},
	{"agent.yaml", "role: screen", "role: admin", strictyaml.NotAllowed, "$.web.tokens[1].role", "admin"},
	{"agent.yaml", "id: \"1\"  ", "id: \"9\"  ", config.UnknownKiosk, "$.web.tokens[0].id", "9"},
	{"agent.yaml", "role: screen\n      id: \"1\"", "role: screen\n      id: \"9\"", config.UnknownScreen, "$.web.tokens[1].id", "9"},
	{"agent.yaml", "secret: file:secrets/screen-1.token", "", strictyaml.Missing, "$.web.tokens[1].secret", "role: screen"},
	{"agent.yaml", "secret: file:secrets/screen-1.token", "secret: hunter2", strictyaml.SecretRef, "$.web.tokens[1].secret", "hunter2"},
	{"agent.yaml", "mqtt: tls://", "mqtt: http://", config.MQTTAddress, "$.cloud.mqtt", "http"},
	{"agent.yaml", "mqtt: tls://", "mqtt: ssl://", config.MQTTAddress, "$.cloud.mqtt", "ssl"},
	{"agent.yaml", "tls://cloud.example.cn:8883", "tls://u:p@cloud:1", config.MQTTAddress, "$.cloud.mqtt", "mqtt"},
	{"agent.yaml", "tls://cloud.example.cn:8883", "tcp://10.0.0.1:1883\n  password: file:secrets/plain.password", config.MQTTLoopback, "$.cloud.mqtt", "10.0.0.1"},
	{"agent.yaml", "tls://cloud.example.cn:8883", "tcp://127.0.0.1:1883", strictyaml.Missing, "$.cloud.password", "mqtt"},
	{"agent.yaml", "tls://cloud.example.cn:8883", "tlcp://cloud.example.cn:8884\n  password: file:secrets/plain.password", config.NoPassword, "$.cloud.password", "plain"},
	{"agent.yaml", "https: https://cloud", "https: http://cloud", config.CloudHTTPS, "$.cloud.https", "http"},
	{"agent.yaml", "resolver: none", "resolver: all", strictyaml.NotAllowed, "$.codes.resolver", "all"},
	{"agent.yaml", "resolver: none", remote + url + key + peer + "  person_key: file:secrets/old", strictyaml.UnknownKey, "$.codes.person_key", "person_key"},
	{"agent.yaml", "resolver: none", remote + key + peer, config.CodesURL, "$.codes.url", "remote"},
	{"agent.yaml", "resolver: none", remote + "  url: http://codes.example.cn/\n" + key + peer, config.CodesURL, "$.codes.url", "example.cn"},
	{"agent.yaml", "resolver: none", remote + url + peer, strictyaml.Missing, "$.codes.key", "remote"},
	{"agent.yaml", "resolver: none", remote + url + key, strictyaml.Missing, "$.codes.peer", "remote"},
	{"agent.yaml", "resolver: none", "peer: MFkw", config.VerifyKeyBad, "$.codes.peer", "MFkw"},
	{"agent.yaml", "resolver: none", "key: file:secrets/plain.password", config.SignKeyBad, "$.codes.key", "plain.password"},
	{"agent.yaml", "resolver: none", "ca: nowhere.pem", config.Unreadable, "$.codes.ca", "nowhere.pem"},
	{"agent.yaml", "name: kiosk-1.printer", "name: kiosk-1.plotter", config.DeviceName, "$.devices[0].name", "plotter"},
	{"agent.yaml", "name: kiosk-1.printer", "name: window-9.printer", config.UnknownWindow, "$.devices[0].name", "window-9"},
	{"agent.yaml", "model: escpos-80", "model: espos-80", config.UnknownModel, "$.devices[0].model", "espos"},
	{"agent.yaml", "file: /dev/usb/lp0", "{}", config.ConnectOne, "$.devices[0].connect", "{}"},
	{"agent.yaml", "file: /dev/usb/lp0", "{file: /dev/usb/lp0, tcp: 'a:1'}", config.ConnectOne, "$.devices[0].connect", "tcp"},
	{"agent.yaml", "file: /dev/usb/lp0", "serial: ttyUSB0", config.AbsolutePath, "$.devices[0].connect.serial", "ttyUSB0"},
	{"agent.yaml", "file: /dev/usb/lp0", "serial: usb:1a86", config.USBReference, "$.devices[0].connect.serial", "usb:1a86"},
	{"agent.yaml", "file: /dev/usb/lp0", "file: usb:0416:5011", config.USBVague, "$.devices[0].connect.file", "usb:0416:5011"},
	{"agent.yaml", "file: /dev/usb/lp0", "usb: usb:0400:c35a", config.USBNumbers, "$.devices[0].connect.usb", "usb:0400:c35a"},
	{"agent.yaml", "  - name: kiosk-1.printer ", "  - {name: window-1.rater, model: serial-rater, connect: {serial: 'usb:1a86:7523:A1B2'}}\n" +
		"  - {name: desk-1.printer, model: escpos-58, connect: {serial: 'usb:1a86:7523@1-2'}}\n  - name: kiosk-1.printer ",
		config.USBTwins, "$.devices[1].connect.serial", "usb:1a86:7523@1-2"},
	{"agent.yaml", "      unit: \"1\" ", "      unit: \"1\"\n  - {name: window-2.pad, model: halledge-pad, connect: {serial: " + padLine + "}}\n  #",
		config.LineAddress, "$.devices[4].connect", "window-2.pad"},
	{"agent.yaml", "      unit: \"1\" ", "      unit: \"1\"\n  - {name: window-2.rater, model: halledge-rater, connect: {serial: " + padLine + "}, options: {unit: \"0x1\"}}\n  #",
		config.LineAddress, "$.devices[4].options.unit", "window-2.rater"},
	{"agent.yaml", "file: /dev/usb/lp0", "{serial: /dev/ttyS0, baud: 9601}", config.Baud, "$.devices[0].connect.baud", "9601"},
	{"agent.yaml", "file: /dev/usb/lp0", "{serial: /dev/ttyS0, flow: dtr}", strictyaml.NotAllowed, "$.devices[0].connect.flow", "dtr"},
	{"agent.yaml", "file: /dev/usb/lp0", "tcp: 10.0.0.7", config.Address, "$.devices[0].connect.tcp", "10.0.0.7"},
	{"agent.yaml", "440900000000001-CM001", "440900000000002-CM001", config.CameraCode, "$.cameras[0].code", "CM001"},
	{"agent.yaml", "scene: 1 ", "scene: 9 ", strictyaml.OutOfRange, "$.cameras[0].scene", "9"},
	{"agent.yaml", "url: rtsp://192", "url: http://192", config.RTSPAddress, "$.cameras[0].url", "http"},
	{"agent.yaml", "url: rtsp://192", "url: rtsp://admin:hunter2@192", config.RTSPUser, "$.cameras[0].url", "admin"},
	{"agent.yaml", "# mac: c0:56:e3:01:02:03", "mac: c0:56:e3:01:02", config.CameraMAC, "$.cameras[0].mac", "c0"},
	{"agent.yaml", "# key: 5f78c332…", "key: 5f78c332", config.CameraKey, "$.cameras[0].key", "5f78c332"},
	{"agent.yaml", "# key: 5f78c332…", "key: 5f78c33274e43fa9de5659265c1d917e25c03722dcb0b8d27db8d5feaa813953", config.CameraKeyTLS, "$.cameras[0].key", "5f78c332"},
	{"agent.yaml", "user: viewer", "", strictyaml.Missing, "$.cameras[0].user", "code:"},
	{"agent.yaml", "name: 示例市-示例区-市政务服务大厅-入口01", "name: 一二三四五六七八九十一二三四五六七八九十一二三四五六七八九十一二三四五六七八九十多",
		strictyaml.TooLong, "$.cameras[0].name", "多"},
	{"agent.yaml", "node: rtsps", "node: rtmp", config.NodeAddress, "$.relay.node", "rtmp"},
	{"agent.yaml", "rtsps://video.example.cn:8322", "rtsps://video.example.cn", config.NodeAddress, "$.relay.node", "rtsps"},
	{"agent.yaml", "rtsps://video.example.cn:8322", "rtsps://u:hunter2@video.example.cn:8322", config.NodeAddress, "$.relay.node", "rtsps"},
	{"agent.yaml", "rtsps://video.example.cn:8322", "rtsp://10.0.0.1:8554\n  password: file:secrets/plain.password", config.NodeLoopback, "$.relay.node", "10.0.0.1"},
	{"agent.yaml", "rtsps://video.example.cn:8322", "rtsp://127.0.0.1:8554", strictyaml.Missing, "$.relay.password", "node"},
	{"agent.yaml", "rtsps://video.example.cn:8322", "rtsp+tlcp://video.example.cn:8323\n  password: file:secrets/plain.password", config.NoPassword, "$.relay.password", "plain"},
	{"agent.yaml", "node: rtsps://video.example.cn:8322", "password: file:secrets/plain.password", config.NoPassword, "$.relay.password", "plain"},
	{"agent.yaml", "192.168.1.0/24", "192.168.1.0", config.Subnet, "$.relay.subnets[0]", "192.168.1.0"},
	{"agent.yaml", "linger_s: 10", "linger_s: -1", strictyaml.OutOfRange, "$.relay.linger_s", "-1"},
	{"agent.yaml", "max_mib: 2048", "max_mib: 1", strictyaml.OutOfRange, "$.journal.max_mib", "max_mib: 1"},
	{"agent.yaml", "retain_days: 7", "retain_days: 0", strictyaml.OutOfRange, "$.journal.retain_days", "0"},
	{"agent.yaml", "level: info", "level: loud", strictyaml.NotAllowed, "$.log.level", "loud"},
	{"agent.yaml", "espeak: auto", "espeak: loud", strictyaml.NotAllowed, "$.voice.espeak", "loud"},
	{"agent.yaml", "espeak: auto", "packs: {zh-min: x}", strictyaml.UnknownKey, "$.voice.packs.zh-min", "zh-min"},
	{"agent.yaml", "espeak: auto", "packs: {zh-CN: not/there}", config.Unreadable, "$.voice.packs.zh-CN", "not/there"},

	{"hall.yaml", "revision: 1", "revision: -1", strictyaml.NotAllowed, "$.revision", "-1"},
	{"hall.yaml", "zone: Asia/Shanghai", "zone: Asia/Maoming", config.Zone, "$.zone", "Maoming"},
	{"hall.yaml", "identity: optional", "identity: optional\n  - {id: a, name: x}", config.QueueID, "$.queues[2].id", "id: a"},
	{"hall.yaml", "identity: optional", "identity: optional\n  - {id: A, name: x}", strictyaml.Twice, "$.queues[2].id", "id: A"},
	{"hall.yaml", "identity: none ", "identity: maybe ", strictyaml.NotAllowed, "$.queues[0].identity", "maybe"},
	{"hall.yaml", "queues: [A]", "queues: [A, A]", strictyaml.Twice, "$.windows[0].queues[1]", "A, A"},
	{"hall.yaml", "queues: [A]", "queues: [C]", config.UnknownQueue, "$.windows[0].queues[0]", "C"},
	{"hall.yaml", "queues: [A]", "queues: []", strictyaml.Missing, "$.windows[0].queues", "[]"},
	{"hall.yaml", "\nstaff:", "  - {id: 窗, queues: [A]}\nstaff:", config.PlaceID, "$.windows[2].id", "窗"},
	{"hall.yaml", "queues: [A, B]\n\nstaff", "queues: [A]\n\nstaff", config.QueueUnserved, "$.queues[1].id", "id: B"},
	{"hall.yaml", "id: zhang", "id: zhang san", config.StaffID, "$.staff[0].id", "zhang san"},
	{"hall.yaml", "pin: \"$argon2id", "pin: \"$argon2i", config.PIN, "$.staff[0].pin", "pin"},
	{"hall.yaml", "m=65536", "m=9999999", config.PIN, "$.staff[0].pin", "pin"},
	{"hall.yaml", "# card: \"\"", "card: \"12345678\"", config.Card, "$.staff[0].card", "card"},
	{"hall.yaml", "queues: [A]\n", "queues: [A]\n    reader: kiosk-9\n", config.UnknownKiosk, "$.windows[0].reader", "kiosk-9"},
	{"hall.yaml", "queues: [A]\n", "queues: [A]\n    lock_min: 200\n", strictyaml.OutOfRange, "$.windows[0].lock_min", "200"},
	{"hall.yaml", "lock_min: 10", "lock_min: 121", strictyaml.OutOfRange, "$.rules.sign_in.lock_min", "121"},
	{"hall.yaml", "role: clerk", "role: boss", strictyaml.NotAllowed, "$.staff[0].role", "boss"},
	{"hall.yaml", "printer: kiosk-1.printer", "printer: kiosk-2.printer", config.UnknownPrinter, "$.kiosks[0].printer", "kiosk-2"},
	{"hall.yaml", "# spare: desk-1.printer", "spare: desk-9.printer", config.UnknownPrinter, "$.kiosks[0].spare", "desk-9"},
	{"hall.yaml", "# spare: desk-1.printer", "spare: kiosk-1.printer", config.UnknownPrinter, "$.kiosks[0].spare", "spare: kiosk-1"},
	{"hall.yaml", "# camera: page", "camera: usb", strictyaml.NotAllowed, "$.kiosks[0].camera", "usb"},
	{"hall.yaml", "reprints: 2", "reprints: -1", strictyaml.OutOfRange, "$.rules.reprints", "-1"},
	{"hall.yaml", "windows: []", "windows: [7]", config.UnknownWindow, "$.screens[0].windows[0]", "7"},
	{"hall.yaml", "# group: hall", "group: 大屏", config.ScreenGroup, "$.screens[0].group", "大屏"},
	{"hall.yaml", "paused: 暂停服务", "paused: \"\"", strictyaml.Missing, "$.rules.panels.paused", "paused"},
	{"hall.yaml", "takes_per_s: 5", "takes_per_s: 0", strictyaml.OutOfRange, "$.rules.takes_per_s", "0"},
	{"hall.yaml", "end_from: \"17:00\"", "end_from: 5pm", config.TimeOfDay, "$.rules.end_from", "5pm"},
	{"hall.yaml", "call_gap_s: 5", "call_gap_s: 99", strictyaml.OutOfRange, "$.rules.call_gap_s", "99"},
	{"hall.yaml", "arrival: assumed", "arrival: hoped", strictyaml.NotAllowed, "$.rules.arrival", "hoped"},
	{"hall.yaml", "pass_recall_s: 600", "pass_recall_s: -1", strictyaml.OutOfRange, "$.rules.pass_recall_s", "-1"},
	{"hall.yaml", "repeat: 2", "repeat: 9", strictyaml.OutOfRange, "$.rules.voice.repeat", "9"},
	{"hall.yaml", "rate: 100", "rate: 10", strictyaml.OutOfRange, "$.rules.voice.rate", "10"},
	{"hall.yaml", "volume: 80", "volume: 0", strictyaml.OutOfRange, "$.rules.voice.volume", "0"},
	{"hall.yaml", "volume: 50", "volume: 101", strictyaml.OutOfRange, "$.rules.voice.hours[0].volume", "101"},
	{"hall.yaml", "mon-sun 12:00-14:30", "noon", config.Hours, "$.rules.voice.hours[0].at", "noon"},
	{"hall.yaml", "max_age_s: 180", "max_age_s: 1", strictyaml.OutOfRange, "$.rules.voice.max_age_s", "1"},
	{"hall.yaml", "languages: [zh-CN]", "languages: []", strictyaml.Missing, "$.rules.voice.languages", "[]"},
	{"hall.yaml", "languages: [zh-CN]", "languages: [en]", strictyaml.NotAllowed, "$.rules.voice.languages[0]", "en"},
	{"hall.yaml", "zones: []", "zones: [{speaker: hall.radio}]", config.UnknownSpeaker, "$.rules.voice.zones[0].speaker", "hall.radio"},
	{"hall.yaml", "zones: []", "zones: [{speaker: hall.speaker, windows: [7]}]", config.UnknownWindow, "$.rules.voice.zones[0].windows[0]", "7"},
	{"hall.yaml", "wait_min_count: 5", "wait_min_count: 0", strictyaml.OutOfRange, "$.rules.wait_min_count", "0"},
}
