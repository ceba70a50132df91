using System;
using System.Collections.Generic;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.Features.Authentication;

namespace Ancm.Hosting.Http
{
    /// <summary>
    /// The features that have a fixed place in a context: those that the server offers, and those that every
    /// app's middleware sets.
    /// </summary>
    internal static class FeatureSlots
    {
        public static readonly Type[] Types = All().ToArray();

        public static int Count => Types.Length;

        public static int IndexOf(Type type) => Array.IndexOf(Types, type);

        private static List<Type> All()
        {
            var types = new List<Type>
            {
                typeof(IHttpRequestFeature),
                typeof(IHttpResponseFeature),
                typeof(IHttpResponseBodyFeature),
                typeof(IRequestBodyPipeFeature),
                typeof(IHttpConnectionFeature),
                typeof(IHttpRequestLifetimeFeature),
                typeof(IHttpRequestIdentifierFeature),
                typeof(IHttpBodyControlFeature),
                typeof(IHttpMaxRequestBodySizeFeature),
                typeof(IHttpRequestTrailersFeature),
                typeof(IServerVariablesFeature),
                typeof(IConnectionLifetimeNotificationFeature),
                typeof(IEndpointFeature),
                typeof(IRouteValuesFeature),
                typeof(IHttpUpgradeFeature),
                typeof(IHttpResponseTrailersFeature),
                typeof(IHttpResetFeature),
                typeof(ITlsConnectionFeature),
                typeof(ITlsHandshakeFeature),
                typeof(IHttpAuthenticationFeature),
                typeof(IServiceProvidersFeature),
                typeof(IItemsFeature),
                typeof(IQueryFeature),
                typeof(IFormFeature),
                typeof(IRequestCookiesFeature),
                typeof(IResponseCookiesFeature),
                typeof(ISessionFeature),
                typeof(IHttpWebSocketFeature),
            };
            types.AddRange(NewerFeatures.Types);
            return types;
        }
    }
}
