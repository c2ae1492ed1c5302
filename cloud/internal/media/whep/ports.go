package whep

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/webrtc/v4"
)

const (
	// socketBuffer holds a key frame for each of a hundred viewers.
	socketBuffer = 4 << 20
	// tcpQueue is what may wait for one viewer over TCP before packets are left out.
	tcpQueue = 1 << 20
	// samePort is how often a free number is looked for that both UDP and TCP can have.
	samePort = 20
)

// ports are the one UDP and the one TCP port of all viewers. They have the same number.
type ports struct {
	addr *net.TCPAddr
	tcp  ice.TCPMux
	udp  ice.UDPMux
	ln   *listener // of tcp
}

// openPorts opens both at host:port. An empty host means every interface, each with a socket of its own, so that answers leave
// from the address they were asked at.
func openPorts(address string, log *slog.Logger) (*ports, error) {
	host, number, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("read WebRTC address: %w", err)
	}
	port, err := strconv.ParseUint(number, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("read WebRTC port: %w", err)
	}
	tries := 1
	if port == 0 {
		tries = samePort
	}
	for range tries {
		var ln net.Listener
		if ln, err = net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(int(port)))); err != nil {
			return nil, fmt.Errorf("open WebRTC TCP port: %w", err)
		}
		addr := ln.Addr().(*net.TCPAddr)
		var udp ice.UDPMux
		if udp, err = openUDP(addr, log); err != nil {
			_ = ln.Close()
			continue
		}
		bounded := newListener(ln, maxTCP)
		tcp := ice.NewTCPMuxDefault(ice.TCPMuxParams{
			Listener: bounded, Logger: quiet{log}, ReadBufferSize: 64, WriteBufferSize: tcpQueue,
			FirstStunBindTimeout: connectTimeout, AliveDurationForConnFromStun: connectTimeout,
		})
		return &ports{addr: addr, tcp: tcp, udp: udp, ln: bounded}, nil
	}
	return nil, err
}

func openUDP(addr *net.TCPAddr, log *slog.Logger) (ice.UDPMux, error) {
	if addr.IP.IsUnspecified() {
		mux, err := ice.NewMultiUDPMuxFromPort(addr.Port, ice.UDPMuxFromPortWithLogger(quiet{log}),
			ice.UDPMuxFromPortWithReadBufferSize(socketBuffer), ice.UDPMuxFromPortWithWriteBufferSize(socketBuffer))
		if err != nil {
			return nil, fmt.Errorf("open WebRTC UDP port: %w", err)
		}
		return mux, nil
	}
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: addr.IP, Port: addr.Port, Zone: addr.Zone})
	if err != nil {
		return nil, fmt.Errorf("open WebRTC UDP port: %w", err)
	}
	if err := errors.Join(conn.SetReadBuffer(socketBuffer), conn.SetWriteBuffer(socketBuffer)); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("open WebRTC UDP port: %w", err)
	}
	return ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: conn, Logger: quiet{log}}), nil
}

func (p *ports) close() error { return errors.Join(p.tcp.Close(), p.udp.Close()) }

// newAPI makes the WebRTC engine: H.264 only, no interceptors (the ring of a viewer does their work), and ICE lite, so that the
// node never sends anything to an address that a viewer merely names.
func newAPI(p *ports, addresses []string, log *slog.Logger) (*webrtc.API, error) {
	var se webrtc.SettingEngine
	se.LoggerFactory = quietFactory{log}
	se.SetLite(true)
	se.SetICEUDPMux(p.udp)
	se.SetICETCPMux(p.tcp)
	se.DisableActiveTCP(true)
	se.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	se.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6, webrtc.NetworkTypeTCP4, webrtc.NetworkTypeTCP6})
	se.SetICETimeouts(disconnected, failed, keepalive)
	se.SetIncludeLoopbackCandidate(p.addr.IP.IsLoopback())
	if !p.addr.IP.IsUnspecified() {
		se.SetIPFilter(p.addr.IP.Equal)
	}
	if len(addresses) > 0 {
		rule := webrtc.ICEAddressRewriteRule{External: addresses, AsCandidateType: webrtc.ICECandidateTypeHost}
		if err := se.SetICEAddressRewriteRules(rule); err != nil {
			return nil, fmt.Errorf("set WebRTC addresses: %w", err)
		}
	}
	media := &webrtc.MediaEngine{}
	// Baseline, constrained baseline, main and high; each browser offers some of them and decodes all.
	for i, profile := range []string{"42001f", "42e01f", "4d001f", "64001f"} {
		codec := webrtc.RTPCodecParameters{
			RTPCodecCapability: webrtc.RTPCodecCapability{
				MimeType: webrtc.MimeTypeH264, ClockRate: 90000,
				SDPFmtpLine:  "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=" + profile,
				RTCPFeedback: []webrtc.RTCPFeedback{{Type: "nack"}, {Type: "nack", Parameter: "pli"}, {Type: "ccm", Parameter: "fir"}},
			},
			PayloadType: webrtc.PayloadType(102 + i),
		}
		if err := media.RegisterCodec(codec, webrtc.RTPCodecTypeVideo); err != nil {
			return nil, fmt.Errorf("register H.264: %w", err)
		}
	}
	return webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithSettingEngine(se),
		webrtc.WithInterceptorRegistry(&interceptor.Registry{})), nil
}

// quiet takes the library's log: what it warns of is mostly what viewers do.
type quiet struct{ log *slog.Logger }

func (quiet) Trace(string)          {}
func (quiet) Tracef(string, ...any) {}
func (quiet) Debug(string)          {}
func (quiet) Debugf(string, ...any) {}
func (quiet) Info(string)           {}
func (quiet) Infof(string, ...any)  {}
func (q quiet) Warn(msg string)     { q.log.Debug("webrtc warns", "text", msg) }
func (q quiet) Error(msg string)    { q.log.Debug("webrtc fails", "text", msg) }

func (q quiet) Warnf(format string, args ...any)  { q.Warn(fmt.Sprintf(format, args...)) }
func (q quiet) Errorf(format string, args ...any) { q.Error(fmt.Sprintf(format, args...)) }

type quietFactory struct{ log *slog.Logger }

// NewLogger implements logging.LoggerFactory.
func (f quietFactory) NewLogger(string) logging.LeveledLogger { return quiet(f) }
