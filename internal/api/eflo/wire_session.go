package eflo

import "errand/internal/api/alibaba"

type createSessionRequest struct {
	alibaba.Envelope
	RegionId    string // not documented, but some clients send it with everything
	NodeId      string `alibaba:"required"`
	SessionType string
	StartTime   string
}

type createSessionResponse struct {
	alibaba.Reply
	SessionId    string
	SessionToken string
	WssEndpoint  string
	ServerSn     string // of the machine, or what stands in for it
}

type closeSessionRequest struct {
	SessionId    string `alibaba:"required"`
	SessionToken string `alibaba:"required"`
}

type closeSessionResponse struct {
	alibaba.Reply
	SessionId string
	State     string
}
