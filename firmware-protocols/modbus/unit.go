package modbus

// handle does what a request says to the registers and coils of a unit. reply is false when the unit stays silent: another unit's
// request, or a broadcast.
func handle(q Request, unit byte, inputs, holdings []uint16, coils []bool) (answer Response, reply bool) {
	if q.Unit != unit && q.Unit != Broadcast {
		return Response{}, false
	}
	answer = Response{Unit: q.Unit, Function: q.Function, Address: q.Address, Count: uint16(len(q.Values)), Values: q.Values}
	first, end := int(q.Address), int(q.Address)+len(q.Values)
	switch q.Function {
	case ReadInput:
		answer.Values, answer.Exception = part(inputs, first, int(q.Count))
	case ReadHolding:
		answer.Values, answer.Exception = part(holdings, first, int(q.Count))
	case WriteRegister, WriteRegisters:
		if end > len(holdings) {
			answer.Exception = IllegalAddress
			break
		}
		copy(holdings[first:], q.Values)
	case WriteCoil:
		switch {
		case end > len(coils):
			answer.Exception = IllegalAddress
		case len(q.Values) != 1 || q.Values[0] != CoilOn && q.Values[0] != CoilOff:
			answer.Exception = IllegalValue
		default:
			coils[first] = q.Values[0] == CoilOn
		}
	default:
		answer.Exception = IllegalFunction
	}
	return answer, q.Unit != Broadcast
}

func part(r []uint16, first, count int) ([]uint16, Exception) {
	if first+count > len(r) {
		return nil, IllegalAddress
	}
	return append([]uint16(nil), r[first:first+count]...), NoException
}
