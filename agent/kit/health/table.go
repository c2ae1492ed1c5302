package health

import "time"

// The conditions. Device conditions are device_ and the device's own code.
const (
	UplinkDown       Code = "uplink_down"
	UplinkRefused    Code = "uplink_refused"
	UplinkUnproven   Code = "uplink_unproven" // who answers is not the centre, as far as it can prove
	UplinkRejected   Code = "uplink_rejected"
	NotEnrolled      Code = "not_enrolled"       // the hall works alone
	EnrolWaiting     Code = "enrol_waiting"      // it has a code and no certificates yet
	CertEnding       Code = "certificate_ending" // renewing it fails
	CertEnded        Code = "certificate_ended"
	RenewalWaiting   Code = "renewal_waiting" // for somebody's approval
	IdentityAside    Code = "identity_aside"  // files of it were damaged and put aside
	WebRootAside     Code = "web_root_aside"  // so was the root of the pages; the hall's machines must trust another
	EpochStale       Code = "epoch_stale"
	LogBacklog       Code = "log_backlog"
	DiskSlow         Code = "disk_slow"
	DiskFull         Code = "disk_full"
	StorageReset     Code = "storage_reset" // the database was damaged and put aside; a new one was begun
	LogRestored      Code = "log_restored"  // the database is not the one that was used here last
	LogSealed        Code = "log_sealed"    // the database was sealed for other keys and put aside
	LogBroken        Code = "log_broken"    // the log is not as it was written
	StorageFull      Code = "storage_full"
	StorageFailed    Code = "storage_failed"
	ClockUnset       Code = "clock_unset"
	ClockOffset      Code = "clock_offset"
	DayWrong         Code = "day_wrong" // a later business day was open by mistake
	ConfigLastGood   Code = "config_last_good"
	KioskSilent      Code = "kiosk_silent" // its page is not there
	SlipFailed       Code = "slip_failed"
	SlipUnsure       Code = "slip_unsure"    // nobody knows whether the slip came out
	CodeRulesBad     Code = "code_rules_bad" // the old rules stay in force
	ResolverDown     Code = "resolver_down"  // codes of citizens are not resolved for the time being
	VoiceMute        Code = "voice_mute"     // the speaker works, and calls cannot be said
	NoticeRefused    Code = "notice_refused" // of a group of screens: what the centre ordered was not taken
	NoticeAltered    Code = "notice_altered" // of a group, or a screen: it is not what was signed
	RelayDown        Code = "relay_down"
	RelayUnproven    Code = "relay_unproven" // what answers in the node's place is not the centre's, as far as it can prove
	CameraOffline    Code = "camera_offline"
	CameraAuthFailed Code = "camera_auth_failed"
	CameraDegraded   Code = "camera_degraded"
	CameraChanged    Code = "camera_changed" // another machine answers in its place, and was told nothing
	CameraUnlike     Code = "camera_unlike"  // it says something else of itself, and nothing proves that it is the camera

	HubGone      Code = "usb_hub_gone"  // of a hub that devices of the hall are behind
	GroupMissing Code = "group_missing" // the service is not in the group that owns the nodes of devices
	BusDown      Code = "bus_down"      // none of the devices that share a line answers
	PortTwice    Code = "port_twice"    // two devices are configured on one port, under two names of it

	DeviceOffline     Code = "device_offline"
	DeviceTimeout     Code = "device_timeout"
	DeviceAddress     Code = "device_address" // others answer on its line
	DevicePaperOut    Code = "device_paper_out"
	DevicePaperLow    Code = "device_paper_low"
	DeviceCoverOpen   Code = "device_cover_open"
	DeviceCutter      Code = "device_cutter"
	DeviceBusy        Code = "device_busy"
	DevicePermission  Code = "device_permission"
	DeviceBadReply    Code = "device_bad_reply"
	DeviceBadConfig   Code = "device_bad_config"
	DeviceUnsupported Code = "device_unsupported"
	DeviceNoise       Code = "device_noise"
	DeviceCardsUnread Code = "device_cards_unread"
	DeviceUnclear     Code = "device_unclear"
	DeviceNoPicture   Code = "device_no_picture"
	DeviceFaulty      Code = "device_faulty"

	DevicePageGone Code = "device_page_gone"
)

// Table is the catalogue of all conditions of a hall.
func Table() []Condition {
	const short, long = 2 * time.Second, time.Minute
	return append(centre(short, long), []Condition{
		{Code: UplinkRejected, Severity: Warning},
		{Code: LogBacklog, Severity: Warning, Delay: long, Causes: []Code{UplinkDown, UplinkRefused}},
		{Code: StorageFull, Severity: Error},
		{Code: StorageFailed, Severity: Error},
		{Code: DiskFull, Severity: Error, Causes: []Code{StorageFull}},
		{Code: StorageReset, Severity: Error},
		{Code: LogRestored, Severity: Warning},
		{Code: LogSealed, Severity: Error},
		{Code: LogBroken, Severity: Error},
		{Code: DiskSlow, Severity: Warning, Delay: long, Causes: []Code{DiskFull}},
		{Code: ClockUnset, Severity: Error},
		{Code: ClockOffset, Severity: Warning, Delay: long, Causes: []Code{ClockUnset}},
		{Code: DayWrong, Severity: Warning},
		{Code: ConfigLastGood, Severity: Error},
		{Code: KioskSilent, Severity: Warning, Delay: 2 * time.Minute},
		{Code: SlipFailed, Severity: Warning, Causes: []Code{
			DeviceOffline, DeviceTimeout, DevicePaperOut, DeviceCoverOpen, DeviceCutter, DeviceBusy, DevicePermission,
			DeviceBadReply, DeviceBadConfig, DeviceUnsupported, DeviceFaulty}},
		{Code: SlipUnsure, Severity: Warning},
		{Code: CodeRulesBad, Severity: Warning},
		{Code: ResolverDown, Severity: Warning, Causes: []Code{UplinkDown, UplinkRefused}},
		{Code: VoiceMute, Severity: Warning, Causes: []Code{
			DeviceOffline, DeviceTimeout, DeviceBusy, DevicePermission, DeviceBadReply, DeviceBadConfig, DeviceUnsupported, DeviceFaulty}},
		{Code: NoticeRefused, Severity: Warning, Causes: []Code{NoticeAltered}},
		{Code: NoticeAltered, Severity: Error},
		{Code: RelayUnproven, Severity: Error, Delay: 10 * time.Second},
		{Code: RelayDown, Severity: Warning, Delay: 10 * time.Second, Causes: []Code{RelayUnproven}},
		{Code: CameraChanged, Severity: Error},
		{Code: CameraUnlike, Severity: Warning},
		{Code: CameraAuthFailed, Severity: Error},
		{Code: CameraOffline, Severity: Warning, Delay: 10 * time.Second, Causes: []Code{CameraAuthFailed}},
		{Code: CameraDegraded, Severity: Info, Delay: long, Causes: []Code{CameraOffline, CameraAuthFailed, RelayDown}},

		{Code: HubGone, Severity: Error, Delay: time.Second}, // before its devices are shown
		{Code: GroupMissing, Severity: Error},
		{Code: BusDown, Severity: Error, Causes: []Code{HubGone, GroupMissing}},
		{Code: PortTwice, Severity: Error},
		{Code: DeviceOffline, Severity: Error, Delay: short, Causes: []Code{HubGone, GroupMissing, BusDown}},
		{Code: DeviceTimeout, Severity: Error, Delay: short, Causes: []Code{HubGone, BusDown}},
		{Code: DeviceAddress, Severity: Error, Delay: short},
		{Code: DevicePaperOut, Severity: Error},
		{Code: DevicePaperLow, Severity: Warning, Delay: short},
		{Code: DeviceCoverOpen, Severity: Error, Delay: short},
		{Code: DeviceCutter, Severity: Error},
		{Code: DeviceBusy, Severity: Error, Delay: short, Causes: []Code{PortTwice}},
		{Code: DevicePermission, Severity: Error, Causes: []Code{GroupMissing}},
		{Code: DeviceBadReply, Severity: Error, Delay: short, Causes: []Code{BusDown}},
		{Code: DeviceBadConfig, Severity: Error},
		{Code: DeviceUnsupported, Severity: Warning},
		{Code: DeviceNoise, Severity: Warning},
		{Code: DeviceCardsUnread, Severity: Warning},
		{Code: DeviceUnclear, Severity: Warning},
		{Code: DeviceNoPicture, Severity: Error, Delay: short, Causes: []Code{HubGone}},
		{Code: DeviceFaulty, Severity: Error, Delay: short},
		{Code: DevicePageGone, Severity: Warning, Delay: 2 * time.Minute},
	}...)
}

// centre are the conditions of the way to the centre.
func centre(short, long time.Duration) []Condition {
	return []Condition{
		{Code: NotEnrolled, Severity: Info},
		{Code: EnrolWaiting, Severity: Warning, Delay: 5 * time.Second},
		{Code: CertEnding, Severity: Warning},
		{Code: CertEnded, Severity: Error, Delay: short},
		{Code: RenewalWaiting, Severity: Warning},
		{Code: IdentityAside, Severity: Error},
		{Code: WebRootAside, Severity: Error},
		{Code: EpochStale, Severity: Warning},
		{Code: UplinkUnproven, Severity: Error, Delay: short},
		{Code: UplinkRefused, Severity: Error, Delay: short, Causes: []Code{CertEnded, RenewalWaiting}},
		{Code: UplinkDown, Severity: Warning, Delay: 10 * time.Second, Causes: []Code{UplinkRefused, UplinkUnproven, NotEnrolled, EnrolWaiting, CertEnded, RenewalWaiting}},
	}
}

// DeviceCodes are the conditions a device can be in, one at a time.
func DeviceCodes() []Code {
	return []Code{DeviceOffline, DeviceTimeout, DeviceAddress, DevicePaperOut, DevicePaperLow, DeviceCoverOpen, DeviceCutter, DeviceBusy,
		DevicePermission, DeviceBadReply, DeviceBadConfig, DeviceUnsupported, DeviceNoise, DeviceCardsUnread, DeviceUnclear, DeviceNoPicture,
		DeviceFaulty, DevicePageGone}
}
