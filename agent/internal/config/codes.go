package config

import "halledge/agent/kit/strictyaml"

// What Load finds wrong beyond the shape of the files. The arguments of the sentences are named in the comments.
const (
	Unreadable     strictyaml.Code = "config_unreadable"      // reason
	SchemaNew      strictyaml.Code = "config_schema_new"      // value, known
	Migration      strictyaml.Code = "config_migration"       // value, reason
	HallCode       strictyaml.Code = "config_hall_code"       // value
	QueueID        strictyaml.Code = "config_queue_id"        // value
	PlaceID        strictyaml.Code = "config_place_id"        // value
	ScreenGroup    strictyaml.Code = "config_screen_group"    // value
	StaffID        strictyaml.Code = "config_staff_id"        // value
	UnknownQueue   strictyaml.Code = "config_unknown_queue"   // value, allowed
	UnknownWindow  strictyaml.Code = "config_unknown_window"  // value, allowed
	UnknownKiosk   strictyaml.Code = "config_unknown_kiosk"   // value, allowed
	UnknownScreen  strictyaml.Code = "config_unknown_screen"  // value, allowed
	UnknownPrinter strictyaml.Code = "config_unknown_printer" // value, allowed
	UnknownSpeaker strictyaml.Code = "config_unknown_speaker" // value, allowed
	UnknownModel   strictyaml.Code = "config_unknown_model"   // value, allowed
	QueueRoll      strictyaml.Code = "config_queue_roll"      // value, other
	QueueUnserved  strictyaml.Code = "config_queue_unserved"  // value (a warning)
	DeviceName     strictyaml.Code = "config_device_name"     // value, allowed
	ConnectOne     strictyaml.Code = "config_connect_one"
	Address        strictyaml.Code = "config_address"       // value
	AbsolutePath   strictyaml.Code = "config_absolute_path" // value
	USBReference   strictyaml.Code = "config_usb_reference" // value
	USBNumbers     strictyaml.Code = "config_usb_numbers"   // value
	USBTwins       strictyaml.Code = "config_usb_twins"     // value, other, device
	USBVague       strictyaml.Code = "config_usb_vague"     // value (a warning)
	DeviceOption   strictyaml.Code = "config_device_option" // key, value, reason
	DeviceUnfit    strictyaml.Code = "config_device_unfit"  // reason
	LineTaken      strictyaml.Code = "config_line_taken"    // value, device
	LineSpeed      strictyaml.Code = "config_line_speed"    // value, device
	LineAddress    strictyaml.Code = "config_line_address"  // value, key, device
	LineAlone      strictyaml.Code = "config_line_alone"    // device
	LinePart       strictyaml.Code = "config_line_part"     // value, key, device
	PortTwice      strictyaml.Code = "config_port_twice"    // value, other, device (a warning)
	Baud           strictyaml.Code = "config_baud"          // value
	WebAddress     strictyaml.Code = "config_web_address"   // value
	WebLoopback    strictyaml.Code = "config_web_loopback"  // value
	MQTTAddress    strictyaml.Code = "config_mqtt_address"  // no value: it may hold a password
	MQTTLoopback   strictyaml.Code = "config_mqtt_loopback" // value
	RTSPAddress    strictyaml.Code = "config_rtsp_address"  // no value
	RTSPUser       strictyaml.Code = "config_rtsp_user"
	CameraCode     strictyaml.Code = "config_camera_code" // value, hall
	CameraMAC      strictyaml.Code = "config_camera_mac"
	CameraKey      strictyaml.Code = "config_camera_key"
	CameraKeyTLS   strictyaml.Code = "config_camera_key_tls"
	Subnet         strictyaml.Code = "config_subnet" // value
	Characters     strictyaml.Code = "config_characters"
	Hours          strictyaml.Code = "config_hours"       // value
	TimeOfDay      strictyaml.Code = "config_time_of_day" // value
	Date           strictyaml.Code = "config_date"        // value
	Zone           strictyaml.Code = "config_zone"        // value
	PIN            strictyaml.Code = "config_pin"
	Card           strictyaml.Code = "config_card"
	TokenShared    strictyaml.Code = "config_token_shared"
	CodesURL       strictyaml.Code = "config_codes_url" // value
	SignKeyBad     strictyaml.Code = "config_sign_key"
	VerifyKeyBad   strictyaml.Code = "config_verify_key"
)

// What it finds wrong with the roads to the centre.
const (
	CloudHTTPS   strictyaml.Code = "config_cloud_https"   // no value: it may hold a password
	NodeAddress  strictyaml.Code = "config_node_address"  // no value: it may hold a password
	NodeLoopback strictyaml.Code = "config_node_loopback" // value
	NoPassword   strictyaml.Code = "config_no_password"
)
