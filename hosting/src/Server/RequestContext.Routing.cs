using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;

namespace Ancm.Hosting.Server
{
    /// <content>What routing puts down: here it costs no object for each request.</content>
    internal abstract partial class RequestContext : IEndpointFeature, IRouteValuesFeature
    {
        private RouteValueDictionary? _routeValues;

        Endpoint? IEndpointFeature.Endpoint { get; set; }

        RouteValueDictionary IRouteValuesFeature.RouteValues
        {
            get => _routeValues ??= new RouteValueDictionary();
            set => _routeValues = value;
        }

        private void ResetRouting()
        {
            ((IEndpointFeature)this).Endpoint = null;
            _routeValues = null;
        }
    }
}
