package eflo

import "errand/internal/api/alibaba"

// paging holds the parameters by which this part of the product pages.
type paging struct {
	NextToken  string
	MaxResults *int64
}

type describeNodeRequest struct {
	NodeId string `alibaba:"required"`
}

// describeNodeResponse has the vendor's fields. Agents report neither hardware nor orders; what nobody knows stays empty.
type describeNodeResponse struct {
	alibaba.Reply
	NodeId                 string
	Hostname               string
	Sn                     string
	ClusterId              string
	ClusterName            string
	NodeGroupId            string
	NodeGroupName          string
	MachineType            string
	NodeType               string
	OperatingState         string
	ImageId                string
	ImageName              string
	HpnZone                string
	ZoneId                 string
	HyperNodeId            string
	ResourceGroupId        string
	SavingsPlanId          string
	UserData               string
	CreateTime             string
	ExpiredTime            string
	FileSystemMountEnabled bool
	Networks               []nodeNetwork
	Disks                  []struct{} // always empty: agents do not report them
}

type nodeNetwork struct {
	BondName        string
	Ip              string
	SubnetId        string
	VpdId           string
	VSwitchId       string
	SecurityGroupId string
}

type listClusterNodesRequest struct {
	paging
	ClusterId       string `alibaba:"required"`
	NodeGroupId     string
	ResourceGroupId string
	OperatingStates []string
	Tags            []alibaba.Tag
}

type listClusterNodesResponse struct {
	alibaba.Reply
	NextToken string
	Nodes     []clusterNode
}

type clusterNode struct {
	NodeId                 string
	Hostname               string
	Sn                     string
	NodeGroupId            string
	NodeGroupName          string
	MachineType            string
	NodeType               string
	OperatingState         string
	ImageId                string
	ImageName              string
	HpnZone                string
	ZoneId                 string
	HyperNodeId            string
	VpcId                  string
	VSwitchId              string
	TaskId                 string
	CommodityCode          string
	CreateTime             string
	ExpiredTime            string
	FileSystemMountEnabled bool
	Networks               []network
	Tags                   []alibaba.Tag
}

type network struct {
	BondName string
	Ip       string
	SubnetId string
	VpdId    string
}

type listFreeNodesRequest struct {
	paging
	HpnZone         string
	MachineType     string
	ResourceGroupId string
	OperatingStates []string
	Tags            []alibaba.Tag
}

type listFreeNodesResponse struct {
	alibaba.Reply
	NextToken string
	Nodes     []freeNode
}

type freeNode struct {
	NodeId          string
	Sn              string
	MachineType     string
	OperatingState  string
	HpnZone         string
	ZoneId          string
	HyperNodeId     string
	ResourceGroupId string
	CommodityCode   string
	CreateTime      string
	ExpiredTime     string
	Tags            []alibaba.Tag
}

type listClustersRequest struct {
	paging
	ResourceGroupId string
	Tags            []alibaba.Tag
}

type listClustersResponse struct {
	alibaba.Reply
	NextToken string
	Clusters  []cluster
}

// cluster has the vendor's fields except Components: there are none, and one of the vendor's clients wants a text where the others want
// an object.
type cluster struct {
	ClusterId          string
	ClusterName        string
	ClusterDescription string
	ClusterType        string
	OperatingState     string
	HpnZone            string
	VpcId              string
	ComputingIpVersion string
	ResourceGroupId    string
	TaskId             string
	CreateTime         string
	UpdateTime         string
	NodeCount          int64
	NodeGroupCount     int64
	Tags               []alibaba.Tag
}

type describeRegionsRequest struct {
	AcceptLanguage string
}

type describeRegionsResponse struct {
	alibaba.Reply
	Regions []region
}

type region struct{ RegionId, LocalName string }

// taggedResources is what the requests of all tag actions begin with.
type taggedResources struct {
	RegionId     string `alibaba:"required"`
	ResourceType string `alibaba:"required"`
	ResourceId   []string
}

type tagResourcesRequest struct {
	taggedResources
	Tag []alibaba.Tag
}

type untagResourcesRequest struct {
	taggedResources
	TagKey []string
	All    bool // only looked at without TagKey
}

type listTagResourcesRequest struct {
	taggedResources
	Tag       []alibaba.Tag
	NextToken string
}

type listTagResourcesResponse struct {
	alibaba.Reply
	NextToken    string
	TagResources tagResourceSet
}

type tagResourceSet struct{ TagResource []tagResource }

type tagResource struct{ ResourceId, ResourceType, TagKey, TagValue string }
