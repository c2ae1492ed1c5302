package relay

import (
	"errors"
	"fmt"

	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/liberrors"

	"halledge/agent/internal/identity"
	"halledge/agent/internal/relay/wire"
)

// Reason says in one word why a camera is not relayed, or not well. It travels in CameraStatus.Reason; the console has a sentence
// for each.
type Reason string

// The reasons.
const (
	CameraUnreachable Reason = "camera_unreachable" // no connection, or it does not answer
	CameraLogin       Reason = "camera_login"       // user or password is wrong
	CameraBusy        Reason = "camera_busy"        // it takes no further connection
	CameraNoStream    Reason = "camera_no_stream"   // the path does not exist there
	CameraNoVideo     Reason = "camera_no_video"    // it offers no H.264, H.265 or MJPEG
	CameraNotAllowed  Reason = "camera_not_allowed" // its address is outside the allowed subnets
	CameraBadAnswer   Reason = "camera_bad_answer"  // it answers something else than RTSP
	CameraSilent      Reason = "camera_silent"      // connected, and no pictures for 5 s
	CameraClosed      Reason = "camera_closed"      // it ended the connection
	CameraChanged     Reason = "camera_changed"     // another machine answers at its address; nothing was told it
	CameraUnlike      Reason = "camera_unlike"      // it says something else of itself than it did, and nothing proves that it is the camera
	NodeUnreachable   Reason = "node_unreachable"   // no connection to the aggregation node
	NodeRefused       Reason = "node_refused"       // the node does not accept this hall, its certificate or this camera
	NodeUnproven      Reason = "node_unproven"      // what answers in the node's place does not prove to be the centre's
	NodeBusy          Reason = "node_busy"          // the node is full, or the camera is already published
	NodeClosed        Reason = "node_closed"        // the node ended the connection
	UplinkSlow        Reason = "uplink_slow"        // pictures are left out: the line is slower than the camera
	NoKeyFrame        Reason = "no_key_frame"       // no key frame for 10 s: nobody new can see the picture
	RelayOff          Reason = "relay_off"          // no aggregation node is configured, and the centre named none
	NotEnrolled       Reason = "not_enrolled"       // the box has no certificate to show to the node
)

// endError is why a relay did not begin, or ended.
type endError struct {
	reason Reason
	err    error
}

func (e *endError) Error() string { return fmt.Sprintf("%s: %v", e.reason, e.err) }

func (e *endError) Unwrap() error { return e.err }

func end(r Reason, err error) *endError { return &endError{reason: r, err: err} }

// fromCamera gives the reason of a failed request to the camera.
func fromCamera(op string, err error) *endError {
	err = fmt.Errorf("%s: %w", op, err)
	var known *endError
	if errors.As(err, &known) {
		return known
	}
	var status liberrors.ErrClientBadStatusCode
	if !errors.As(err, &status) {
		if answered(err) {
			return end(CameraBadAnswer, err)
		}
		return end(CameraUnreachable, err)
	}
	switch status.Code {
	case base.StatusUnauthorized, base.StatusForbidden:
		return end(CameraLogin, err)
	case base.StatusNotEnoughBandwidth, base.StatusServiceUnavailable, base.StatusInternalServerError:
		return end(CameraBusy, err)
	case base.StatusNotFound, base.StatusSessionNotFound:
		return end(CameraNoStream, err)
	}
	return end(CameraBadAnswer, err)
}

// answered reports whether the far end said something that is not proper RTSP.
func answered(err error) bool {
	var (
		sdp     liberrors.ErrClientSDPInvalid
		kind    liberrors.ErrClientContentTypeUnsupported
		missing liberrors.ErrClientContentTypeMissing
		header  liberrors.ErrClientTransportHeaderInvalid
		session liberrors.ErrClientSessionHeaderInvalid
		auth    liberrors.ErrClientAuthSetup
	)
	return errors.As(err, &sdp) || errors.As(err, &kind) || errors.As(err, &missing) || errors.As(err, &header) ||
		errors.As(err, &session) || errors.As(err, &auth) || errors.Is(err, wire.ErrOverlong)
}

// fromNode gives the reason of a failed request to the node.
func fromNode(op string, err error) *endError {
	err = fmt.Errorf("%s: %w", op, err)
	var status liberrors.ErrClientBadStatusCode
	var fault *identity.Fault
	switch {
	case errors.As(err, &status):
	case errors.As(err, &fault) && fault.Code == identity.CodeNotEnrolled:
		return end(NotEnrolled, err)
	case identity.Unproven(err):
		return end(NodeUnproven, err)
	case identity.Refused(err):
		return end(NodeRefused, err)
	default:
		return end(NodeUnreachable, err)
	}
	switch status.Code {
	case base.StatusUnauthorized, base.StatusForbidden, base.StatusNotFound:
		return end(NodeRefused, err)
	}
	return end(NodeBusy, err)
}
